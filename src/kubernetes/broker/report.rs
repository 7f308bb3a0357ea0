//! What a turn over a broker writes into its status: success, failure, and what the user can do.

use crate::kubernetes::api::{Backoff, BrokerStatus, ConditionStatus, ConditionType, Conditions, Retry, now};
use crate::kubernetes::broker::catalog::Problem;
use crate::kubernetes::clients;
use crate::kubernetes::selector;
use crate::osb_client;

/// Why a catalog is not here.
#[derive(Debug)]
pub struct Failure {
    /// The reason, a word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// It does not mend itself: somebody must change something. It is tried again nevertheless, for what must be changed
    /// may be a Secret or the broker.
    pub lasting: bool,
    /// When the broker wants to be asked again.
    pub retry_after: Option<std::time::Duration>,
}

impl Failure {
    /// What a call, or what it needs, failed with. `None`: that is no failure of the broker's.
    pub fn of(error: clients::Error) -> Result<Self, super::super::turn::Error> {
        const FETCHING: &str = "ErrorFetchingCatalog";
        let failure = |reason, message: String, lasting, retry_after| Self { reason, message, lasting, retry_after };
        Ok(match error {
            clients::Error::Credentials(message) => failure("ErrorGettingAuthCredentials", message, true, None),
            clients::Error::Broker(error) => {
                let refusal = error.refusal();
                let lasting = match &error {
                    osb_client::Error::Refused(refusal) => {
                        (400..500).contains(&refusal.status) && !matches!(refusal.status, 408 | 425 | 429)
                    }
                    osb_client::Error::Options(_) | osb_client::Error::Forbidden => true,
                    _ => false,
                };
                let retry_after = refusal.and_then(|refusal| refusal.retry_after);
                failure(FETCHING, format!("Error fetching catalog: {}", error.sentence()), lasting, retry_after)
            }
            clients::Error::Api(error) => return Err(error.into()),
            clients::Error::NotLeader => return Err(super::super::turn::Error::NotLeader),
        })
    }
}

impl From<selector::Error> for Failure {
    fn from(error: selector::Error) -> Self {
        let message = format!("Error in spec.catalogRestrictions: {error}");
        Self { reason: "ErrorSyncingCatalog", message, lasting: true, retry_after: None }
    }
}

/// The catalog is here.
pub fn succeeded(status: &mut BrokerStatus, generation: i64, problems: &[Problem]) {
    const SHOWN: usize = 5;
    let mut message = "Successfully fetched catalog entries from broker.".to_owned();
    if !problems.is_empty() {
        let shown: Vec<_> = problems.iter().take(SHOWN).map(|one| format!("{} ({})", one.what, one.why)).collect();
        message.push_str(&format!(" Left out: {}", shown.join("; ")));
        if problems.len() > SHOWN {
            message.push_str(&format!("; and {} more", problems.len() - SHOWN));
        }
        message.push('.');
    }
    status.set(ConditionType::Ready, ConditionStatus::True, "FetchedCatalog", message);
    status.unset(ConditionType::Failed);
    status.reconciled_generation = generation;
    status.last_catalog_retrieval_time = Some(now());
    (status.operation_start_time, status.retry) = (None, None);
}

/// It is not, or not the present one. `Failed` comes beside `Ready`, so that `svcat register --wait` ends.
pub fn failed(
    status: &mut BrokerStatus,
    generation: i64,
    failure: &Failure,
    backoff: Backoff,
    patience: std::time::Duration,
) {
    if status.reconciled_generation != generation {
        (status.operation_start_time, status.retry) = (None, None);
    }
    let since = status.operation_start_time.get_or_insert_with(now).0;
    status.reconciled_generation = generation;
    status.retry = Some(Retry::after(status.retry.as_ref(), backoff, failure.retry_after));
    status.set(ConditionType::Ready, ConditionStatus::False, failure.reason, &failure.message);
    let tired = now().0.duration_since(since).unsigned_abs() > patience;
    if failure.lasting {
        status.set(ConditionType::Failed, ConditionStatus::True, failure.reason, &failure.message);
    } else if tired {
        let message = format!("Stopped hoping, and still trying. {}", failure.message);
        status.set(ConditionType::Failed, ConditionStatus::True, "ErrorReconciliationRetryTimeout", message);
    } else {
        status.unset(ConditionType::Failed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
    const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

    fn failure(lasting: bool) -> Failure {
        Failure { reason: "ErrorFetchingCatalog", message: "no".into(), lasting, retry_after: None }
    }

    #[test]
    fn a_failure_that_lasts_ends_svcats_waiting_and_success_takes_it_back() {
        let mut status = BrokerStatus::default();
        failed(&mut status, 1, &failure(true), BACKOFF, PATIENCE);
        assert_eq!((status.last_condition_state.as_str(), status.reconciled_generation), ("Failed", 1));
        failed(&mut status, 1, &failure(false), BACKOFF, PATIENCE);
        assert_eq!(status.last_condition_state, "ErrorFetchingCatalog");
        assert_eq!(status.retry.as_ref().map(|retry| retry.attempts), Some(2));
        let problem = Problem { what: "service x".into(), why: "its id is empty".into() };
        succeeded(&mut status, 2, &[problem]);
        assert_eq!((status.last_condition_state.as_str(), status.retry.as_ref()), ("Ready", None));
        assert!(status.conditions[0].message.ends_with("Left out: service x (its id is empty)."));
    }

    #[test]
    fn after_a_week_of_failures_it_is_called_failed() {
        let mut status = BrokerStatus { reconciled_generation: 1, ..BrokerStatus::default() };
        status.operation_start_time = serde_json::from_str(r#""2020-01-01T00:00:00Z""#).unwrap();
        failed(&mut status, 1, &failure(false), BACKOFF, PATIENCE);
        assert_eq!(status.condition(ConditionType::Failed).unwrap().reason, "ErrorReconciliationRetryTimeout");
        // Another spec is another attempt.
        failed(&mut status, 2, &failure(false), BACKOFF, PATIENCE);
        assert!(status.condition(ConditionType::Failed).is_none());
    }
}
