//! What the answer to a poll means for the status.

use std::time::Duration;

use super::answer::{Rules, poll_again, stopped, succeeded, update_ended};
use super::failure::Failure;
use super::{begin, ending};
use crate::kubernetes::api::{ConditionStatus, ConditionType, Conditions, InstanceOperation, InstanceStatus, now};
use crate::osb::{LastOperation, State};

/// What is known besides the status.
#[derive(Clone, Copy, Debug)]
pub struct Polled {
    /// The id is the user's, and may name something that was there before us.
    pub adopts: bool,
    /// For how long the operation may be polled.
    pub limit: Duration,
    /// How patient we are.
    pub rules: Rules,
}

/// The broker said how far it is.
pub fn told(status: &mut InstanceStatus, answer: &LastOperation, retry_after: Option<Duration>, with: Polled) {
    let said = answer.description().map(stopped).unwrap_or_default();
    match answer.state() {
        State::Succeeded if deletes(status) => ending::deleted(status, with.rules),
        State::Succeeded => succeeded(status, None),
        State::Failed => {
            let message = if said.is_empty() { "the broker did not say why.".to_owned() } else { said };
            failed(status, &message, answer.instance_usable(), "", with);
        }
        State::InProgress if is_over(status, with) => timed_out(status, with),
        State::InProgress => {
            let (reason, message) = match status.operation() {
                _ if deletes(status) => ("Deprovisioning", "The instance is being deprovisioned asynchronously."),
                Some(InstanceOperation::Update) => {
                    ("UpdatingInstance", "The instance is being updated asynchronously.")
                }
                _ => ("Provisioning", "The instance is being provisioned asynchronously."),
            };
            let message = if said.is_empty() { message.to_owned() } else { format!("{message} {said}") };
            status.set(ConditionType::Ready, ConditionStatus::False, reason, message);
            poll_again(status, with.rules, retry_after);
        }
    }
}

/// The broker did not say how far it is.
pub fn refused(status: &mut InstanceStatus, failure: &Failure, with: Polled) {
    const REASON: &str = "ErrorPollingLastOperation";
    let message = format!("Error polling the operation: {}", stopped(&failure.message));
    match failure.status {
        // There is no such thing (any more): what a delete wanted. A 404 does not quite say so; another delete tells.
        Some(410) if deletes(status) => ending::deleted(status, with.rules),
        Some(400 | 404) if deletes(status) => ending::delete_failed(status, failure, with.rules),
        Some(400) => failed(status, &message, true, REASON, with),
        // The operation is lost, and with it what it was to make.
        Some(404 | 410) if status.operation() == Some(InstanceOperation::Provision) => {
            if with.adopts {
                status.async_op_in_progress = false;
                status.ledger_mut().unsettled = true;
                super::answer::again(status, REASON, &message, failure, with.rules);
            } else {
                status.ledger_mut().failures += 1;
                begin::mitigation(status, REASON, &message);
            }
        }
        Some(404 | 410) => failed(status, &message, true, REASON, with),
        _ if is_over(status, with) => timed_out(status, with),
        _ => {
            status.set(ConditionType::Ready, ConditionStatus::False, REASON, message);
            poll_again(status, with.rules, failure.retry_after);
        }
    }
}

/// The operation has taken longer than the plan says it may.
fn timed_out(status: &mut InstanceStatus, with: Polled) {
    let message = format!("the operation has not ended within {} s.", with.limit.as_secs());
    failed(status, &message, true, "ErrorReconciliationRetryTimeout", with);
}

/// The operation has failed. The reason is the usual one if none is given.
fn failed(status: &mut InstanceStatus, message: &str, usable: bool, reason: &'static str, with: Polled) {
    let or = |usual: &'static str| if reason.is_empty() { usual } else { reason };
    match status.operation() {
        _ if deletes(status) => {
            let failure =
                Failure { message: message.to_owned(), status: Some(200), usable: true, ..Failure::default() };
            ending::delete_failed(status, &failure, with.rules);
        }
        Some(InstanceOperation::Update) => {
            status.ledger_mut().unsettled = true;
            let message = format!("Error updating the instance: {message}");
            update_ended(status, or("UpdateInstanceCallFailed"), message, usable);
        }
        _ => {
            let (reason, message) = (or("ProvisionCallFailed"), format!("Error provisioning the instance: {message}"));
            if with.adopts {
                super::answer::refused(status);
                status.set(ConditionType::Ready, ConditionStatus::False, reason, &message);
            } else {
                begin::mitigation(status, reason, &message);
            }
            status.set(ConditionType::Failed, ConditionStatus::True, reason, message);
        }
    }
}

/// It is a deletion that is polled.
fn deletes(status: &InstanceStatus) -> bool {
    status.orphan_mitigation_in_progress || status.operation() == Some(InstanceOperation::Deprovision)
}

fn is_over(status: &InstanceStatus, with: Polled) -> bool {
    let since = status.ledger.as_ref().and_then(|ledger| ledger.polling_since.clone());
    let since = since.or_else(|| status.operation_start_time.clone());
    since.is_some_and(|since| now().0.duration_since(since.0).unsigned_abs() > with.limit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::api::Backoff;

    fn with(adopts: bool) -> Polled {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(1200) };
        let rules = Rules { backoff, patience: Duration::from_secs(1_000_000) };
        Polled { adopts, limit: Duration::from_secs(3600), rules }
    }

    fn going(operation: &str, mitigates: bool, since: Value) -> InstanceStatus {
        serde_json::from_value(json!({
            "currentOperation": operation, "asyncOpInProgress": true, "orphanMitigationInProgress": mitigates,
            "deprovisionStatus": "Required", "inProgressProperties": {"parameterChecksum": "new"},
            "operationStartTime": now(), "ledger": {"pollingSince": since},
        }))
        .unwrap()
    }

    /// What came of it: the reason of Ready, and what is done next.
    fn came(status: &InstanceStatus) -> (String, &'static str) {
        let next = match status {
            status if status.async_op_in_progress => "poll",
            status if status.orphan_mitigation_in_progress => "mitigate",
            status if status.operation().is_none() && status.retry.is_some() => "order later",
            status if status.operation().is_none() => "rest",
            _ => "ask later",
        };
        let failed = if status.holds(ConditionType::Failed) { " Failed" } else { "" };
        (format!("{}{failed}", status.condition(ConditionType::Ready).map_or("", |ready| &ready.reason)), next)
    }

    #[test]
    fn the_table_of_answers_to_a_poll() {
        let failed = json!({"state": "failed", "description": "no"});
        let (done, goes_on) = (json!({"state": "succeeded"}), json!({"state": "in progress"}));
        for (operation, mitigates, answer, adopts, reason, next) in [
            ("Provision", false, &done, false, "ProvisionedSuccessfully", "rest"),
            ("Provision", false, &goes_on, false, "Provisioning", "poll"),
            ("Provision", false, &failed, false, "StartingInstanceOrphanMitigation Failed", "mitigate"),
            ("Provision", false, &failed, true, "ProvisionCallFailed Failed", "rest"),
            ("Provision", true, &done, false, "OrphanMitigationSuccessful", "order later"),
            ("Provision", true, &failed, false, "OrphanMitigationFailed", "mitigate"),
            ("Update", false, &done, false, "InstanceUpdatedSuccessfully", "rest"),
            ("Update", false, &failed, false, "UpdateInstanceCallFailed Failed", "rest"),
            ("Deprovision", false, &done, false, "DeprovisionedSuccessfully", "rest"),
            ("Deprovision", false, &goes_on, false, "Deprovisioning", "poll"),
            ("Deprovision", false, &failed, false, "DeprovisionCallFailed", "ask later"),
        ] {
            let mut status = going(operation, mitigates, json!(now()));
            told(&mut status, &serde_json::from_value(answer.clone()).unwrap(), None, with(adopts));
            assert_eq!(came(&status), (reason.to_owned(), next), "{operation} {answer}");
        }
    }

    #[test]
    fn the_table_of_refusals_of_a_poll() {
        let polling = "ErrorPollingLastOperation";
        let mitigates = "StartingInstanceOrphanMitigation";
        for (operation, code, adopts, reason, next) in [
            ("Provision", 400, false, format!("{mitigates} Failed"), "mitigate"),
            ("Provision", 404, false, mitigates.to_owned(), "mitigate"),
            ("Provision", 410, false, mitigates.to_owned(), "mitigate"),
            ("Provision", 410, true, polling.to_owned(), "ask later"),
            ("Provision", 500, false, polling.to_owned(), "poll"),
            ("Provision", 0, false, polling.to_owned(), "poll"),
            ("Update", 400, false, format!("{polling} Failed"), "rest"),
            ("Update", 404, false, format!("{polling} Failed"), "rest"),
            ("Update", 429, false, polling.to_owned(), "poll"),
            ("Deprovision", 410, false, "DeprovisionedSuccessfully".to_owned(), "rest"),
            ("Deprovision", 404, false, "DeprovisionCallFailed".to_owned(), "ask later"),
            ("Deprovision", 400, false, "DeprovisionCallFailed".to_owned(), "ask later"),
            ("Deprovision", 503, false, polling.to_owned(), "poll"),
        ] {
            let mut status = going(operation, false, json!(now()));
            let failure =
                Failure { message: "no".into(), status: Some(code).filter(|code| *code > 0), ..Failure::default() };
            refused(&mut status, &failure, with(adopts));
            assert_eq!(came(&status), (reason, next), "{operation} {code}");
        }
    }

    #[test]
    fn an_operation_that_never_ends_is_given_up() {
        let goes_on = serde_json::from_value(json!({"state": "in progress"})).unwrap();
        for (operation, next) in [("Provision", "mitigate"), ("Update", "rest"), ("Deprovision", "ask later")] {
            let mut status = going(operation, false, json!("2020-01-01T00:00:00Z"));
            told(&mut status, &goes_on, None, with(false));
            assert_eq!(came(&status).1, next, "{operation}");
        }
    }
}
