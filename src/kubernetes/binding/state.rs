//! How the status of a binding changes. Pure: each function is one thing that happened.
//!
//! The words are those of Service Catalog, which scripts wait for. Before anything is sent the status says so
//! ([`begin`]); how it ended is written after the Secret. A restart in between sends the same bind again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::answer::{Fault, Kind};
use crate::kubernetes::api::ConditionStatus::{False, True, Unknown};
use crate::kubernetes::api::ConditionType::{Failed, Ready};
use crate::kubernetes::api::{
    Backoff, BindingOperation, BindingPlace, BindingProperties, BindingStatus, Conditions, LocalRef, Retry,
    UnbindStatus, now,
};

/// Reasons that programs and people look for.
pub mod reason {
    #![allow(missing_docs)]
    pub const BIND_CALL_FAILED: &str = "BindCallFailed";
    pub const BINDING: &str = "Binding";
    pub const BIND_IN_FLIGHT: &str = "BindingRequestInFlight";
    pub const FETCH_FAILED: &str = "FetchCallFailed";
    pub const INJECTED: &str = "InjectedBindResult";
    pub const INJECT_FAILED: &str = "ErrorInjectingBindResult";
    pub const MITIGATION: &str = "ServiceBindingNeedsOrphanMitigation";
    pub const MITIGATED: &str = "OrphanMitigationSuccessful";
    pub const PARAMETERS: &str = "ErrorWithParameters";
    pub const POLL_FAILED: &str = "ErrorPollingLastOperation";
    pub const RETURNED_FAILURE: &str = "ServiceBindingReturnedFailure";
    pub const TIMED_OUT: &str = "ErrorReconciliationRetryTimeout";
    pub const UNBIND_CALL_FAILED: &str = "UnbindCallFailed";
    pub const UNBIND_IN_FLIGHT: &str = "UnbindingRequestInFlight";
    pub const UNBINDING: &str = "Unbinding";
    pub const UNBOUND: &str = "UnboundSuccessfully";
}

/// How long and how often is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The pauses.
    pub backoff: Backoff,
    /// How long before a binding is called Failed. Attempts go on.
    pub total: Duration,
}

impl Patience {
    /// Pauses between polls grow less: somebody waits for the end.
    fn polls(self) -> Backoff {
        const MOST: Duration = Duration::from_secs(30);
        Backoff { most: self.backoff.most.min(MOST).max(self.backoff.first), ..self.backoff }
    }
}

/// Something has to change before it can be bound.
pub fn blocked(status: &mut BindingStatus, reason: &str, message: &str) {
    status.set(Ready, False, reason, message);
    status.retry = None;
}

/// It cannot be bound, and will not be.
pub fn impossible(status: &mut BindingStatus, reason: &str, message: &str) {
    status.set(Ready, False, reason, message);
    status.set(Failed, True, reason, message);
    status.retry = None;
}

/// A new attempt after a failure for good.
pub fn revive(status: &mut BindingStatus, asked: &str) {
    status.unset(Failed);
    status.retried = asked.to_owned();
    status.retry = None;
    status.operation_start_time = None;
}

/// The bind is about to be sent.
pub fn begin(status: &mut BindingStatus, place: &BindingPlace, properties: BindingProperties) {
    status.current_operation = Some(BindingOperation::Bind);
    status.operation_start_time.get_or_insert_with(now);
    status.in_progress_properties = Some(properties);
    status.place = Some(place.clone());
    status.unbind_status = UnbindStatus::Required;
    if status.condition(Ready).is_none_or(|ready| ready.reason != reason::BIND_CALL_FAILED) {
        status.set(Ready, False, reason::BIND_IN_FLIGHT, "The bind has been sent to the broker.");
    }
}

/// The broker works on it.
pub fn accepted(status: &mut BindingStatus, operation: Option<String>, after: Option<Duration>, patience: Patience) {
    status.set(Ready, False, reason::BINDING, "The broker is making the binding.");
    polled(status, operation, after, patience);
}

/// The broker deletes it.
pub fn unbinding(status: &mut BindingStatus, operation: Option<String>, after: Option<Duration>, patience: Patience) {
    if !status.orphan_mitigation_in_progress {
        status.set(Ready, False, reason::UNBINDING, "The broker is deleting the binding.");
    }
    polled(status, operation, after, patience);
}

fn polled(status: &mut BindingStatus, operation: Option<String>, after: Option<Duration>, patience: Patience) {
    status.async_op_in_progress = true;
    status.last_operation = operation;
    status.polled_since = Some(now());
    status.retry = Some(Retry::after(None, patience.polls(), after));
}

/// The broker still works. What it says is shown.
pub fn going(status: &mut BindingStatus, said: Option<&str>, after: Option<Duration>, patience: Patience) {
    if let Some(said) = said {
        let reason = status.condition(Ready).map_or_else(String::new, |ready| ready.reason.clone());
        status.set(Ready, False, &reason, said);
    }
    status.retry = Some(Retry::after(status.retry.as_ref(), patience.polls(), after));
}

/// How far it is could not be asked.
pub fn poll_failed(status: &mut BindingStatus, fault: &Fault, patience: Patience) {
    status.set(Ready, False, reason::POLL_FAILED, fault.message.as_str());
    status.retry = Some(Retry::after(status.retry.as_ref(), patience.polls(), fault.after));
    out_of_patience(status, patience);
}

/// The credentials are in the Secret.
pub fn bound(status: &mut BindingStatus, secret: &str) {
    status.set(Ready, True, reason::INJECTED, "The credentials are in the Secret.");
    status.unset(Failed);
    if let Some(properties) = status.in_progress_properties.take() {
        status.external_properties = Some(properties);
    }
    status.binding = Some(LocalRef::new(secret));
    status.unbind_status = UnbindStatus::Required;
    status.retry = None;
    ended(status);
}

/// The bind failed. `fresh`: it was the first of this attempt, so that what did nothing has left nothing.
pub fn failed(status: &mut BindingStatus, fault: &Fault, fresh: bool, patience: Patience) {
    match fault.kind {
        Kind::Wrong => {
            status.set(Ready, False, reason::BIND_CALL_FAILED, fault.message.as_str());
            status.set(Failed, True, reason::RETURNED_FAILURE, fault.message.as_str());
            // Whatever an attempt before this one may have left was refused as well, or is found by the next one.
            status.unbind_status = if fresh { UnbindStatus::NotRequired } else { UnbindStatus::Required };
            status.in_progress_properties = None;
            status.retry = None;
            ended(status);
        }
        Kind::Orphan => mitigate(status, &fault.message, fault.after, patience),
        Kind::Gone | Kind::Missing | Kind::Clash | Kind::Again => {
            status.set(Ready, False, reason::BIND_CALL_FAILED, fault.message.as_str());
            status.retry = Some(Retry::after(status.retry.as_ref(), patience.backoff, fault.after));
            if fresh {
                status.unbind_status = UnbindStatus::NotRequired;
                status.in_progress_properties = None;
                status.current_operation = None;
            }
            out_of_patience(status, patience);
        }
    }
}

/// What is there must be deleted before the next attempt, and for ever if that is none.
pub fn mitigate(status: &mut BindingStatus, message: &str, after: Option<Duration>, patience: Patience) {
    status.set(Ready, False, reason::MITIGATION, message);
    status.orphan_mitigation_in_progress = true;
    status.async_op_in_progress = false;
    status.last_operation = None;
    status.polled_since = None;
    status.unbind_status = UnbindStatus::Required;
    status.retry = Some(Retry::after(status.retry.as_ref(), patience.backoff, after));
    out_of_patience(status, patience);
}

/// As [`mitigate`], and nothing is tried after it.
pub fn give_up(status: &mut BindingStatus, reason: &str, message: &str, patience: Patience) {
    mitigate(status, message, None, patience);
    status.set(Failed, True, reason, message);
}

/// What a failed attempt left is deleted.
pub fn mitigated(status: &mut BindingStatus) {
    let former = status.condition(Ready).map_or_else(String::new, |ready| ready.message.clone());
    let over = status.condition(Failed).is_some_and(|failed| failed.reason != reason::TIMED_OUT);
    status.orphan_mitigation_in_progress = false;
    status.unbind_status = UnbindStatus::Succeeded;
    status.in_progress_properties = None;
    let began = status.operation_start_time.clone();
    ended(status);
    status.set(Ready, False, if over { reason::BIND_CALL_FAILED } else { reason::MITIGATED }, former);
    match over {
        true => status.retry = None,
        // How often it has failed is kept, so that the pauses go on growing.
        false => {
            status.operation_start_time = began;
            let attempts = status.retry.as_ref().map_or(0, |retry| retry.attempts);
            status.retry = Some(at_once(attempts));
        }
    }
}

/// The bind was not found to be wrong: the next attempt may begin at once, and the count of attempts is kept.
fn at_once(attempts: u32) -> Retry {
    let none = Backoff { first: Duration::ZERO, most: Duration::ZERO };
    Retry { attempts, ..Retry::after(None, none, None) }
}

/// It is to be deleted: it is not ready any more, and says so before anything else is done.
pub fn begin_unbind(status: &mut BindingStatus) {
    status.current_operation = Some(BindingOperation::Unbind);
    status.operation_start_time = Some(now());
    status.async_op_in_progress = false;
    status.orphan_mitigation_in_progress = false;
    status.last_operation = None;
    status.polled_since = None;
    status.binding = None;
    status.retry = None;
    status.unset(Failed);
    status.set(Ready, False, reason::UNBIND_IN_FLIGHT, "The binding is being deleted.");
}

/// It cannot be deleted yet.
pub fn unbind_blocked(status: &mut BindingStatus, reason: &str, message: &str) {
    status.set(Ready, False, reason, message);
    status.retry = None;
}

/// The unbind failed. It is tried for ever.
pub fn unbind_failed(status: &mut BindingStatus, fault: &Fault, patience: Patience) {
    status.set(Ready, Unknown, reason::UNBIND_CALL_FAILED, fault.message.as_str());
    status.async_op_in_progress = false;
    status.last_operation = None;
    status.polled_since = None;
    status.retry = Some(Retry::after(status.retry.as_ref(), patience.backoff, fault.after));
    out_of_patience(status, patience);
}

/// The broker has deleted it.
pub fn unbound(status: &mut BindingStatus) {
    status.unbind_status = UnbindStatus::Succeeded;
    status.external_properties = None;
    status.in_progress_properties = None;
    status.retry = None;
    status.unset(Failed);
    ended(status);
    status.set(Ready, False, reason::UNBOUND, "The broker has deleted the binding.");
}

/// The Secret is not as it should be, and could not be made so.
pub fn not_kept(status: &mut BindingStatus, fault: &Fault, patience: Patience) {
    status.set(Ready, False, reason::INJECT_FAILED, fault.message.as_str());
    // One that Service Catalog made may lack it; without it this would be a new bind.
    status.external_properties.get_or_insert_default();
    status.retry = Some(Retry::after(status.retry.as_ref(), patience.backoff, fault.after));
}

fn ended(status: &mut BindingStatus) {
    status.current_operation = None;
    status.operation_start_time = None;
    status.async_op_in_progress = false;
    status.last_operation = None;
    status.polled_since = None;
}

/// After days of attempts somebody should look. They go on.
fn out_of_patience(status: &mut BindingStatus, patience: Patience) {
    if is_over(status.operation_start_time.as_ref(), patience.total) && !status.holds(Failed) {
        let text = status.condition(Ready).map_or_else(String::new, |ready| ready.message.clone());
        status.set(Failed, True, reason::TIMED_OUT, format!("Attempts fail for a long time and go on. {text}"));
    }
}

/// Whether so much time has passed since.
pub fn is_over(since: Option<&Time>, time: Duration) -> bool {
    since.is_some_and(|since| {
        Timestamp::now().duration_since(since.0)
            > jiff::SignedDuration::try_from(time).unwrap_or(jiff::SignedDuration::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(600) },
        total: Duration::from_secs(3600),
    };

    fn fault(kind: Kind) -> Fault {
        Fault { message: "No.".to_owned(), after: None, kind }
    }

    fn sent() -> BindingStatus {
        let mut status = BindingStatus::default();
        begin(&mut status, &BindingPlace::default(), BindingProperties::default());
        status
    }

    #[test]
    fn before_a_bind_the_status_says_that_the_broker_may_have_it() {
        let status = sent();
        assert_eq!(status.current_operation, Some(BindingOperation::Bind));
        assert_eq!(status.unbind_status, UnbindStatus::Required);
        assert!(status.operation_start_time.is_some() && status.in_progress_properties.is_some());
        assert_eq!(status.last_condition_state, reason::BIND_IN_FLIGHT);
    }

    #[test]
    fn what_a_failure_leaves() {
        for (kind, fresh, state, unbind, mitigates, again) in [
            (Kind::Wrong, true, "Failed", UnbindStatus::NotRequired, false, false),
            (Kind::Wrong, false, "Failed", UnbindStatus::Required, false, false),
            (Kind::Again, true, "BindCallFailed", UnbindStatus::NotRequired, false, true),
            (Kind::Again, false, "BindCallFailed", UnbindStatus::Required, false, true),
            (Kind::Gone, true, "BindCallFailed", UnbindStatus::NotRequired, false, true),
            (Kind::Orphan, true, "ServiceBindingNeedsOrphanMitigation", UnbindStatus::Required, true, true),
        ] {
            let mut status = sent();
            failed(&mut status, &fault(kind), fresh, PATIENCE);
            assert_eq!(status.last_condition_state, state, "{kind:?} {fresh}");
            assert_eq!(status.unbind_status, unbind, "{kind:?} {fresh}");
            assert_eq!(status.orphan_mitigation_in_progress, mitigates, "{kind:?} {fresh}");
            assert_eq!(status.retry.is_some(), again, "{kind:?} {fresh}");
        }
    }

    #[test]
    fn after_a_mitigation_it_is_tried_again_or_not_and_the_pauses_go_on_growing() {
        let mut status = sent();
        failed(&mut status, &fault(Kind::Orphan), true, PATIENCE);
        failed(&mut status, &fault(Kind::Orphan), false, PATIENCE);
        mitigated(&mut status);
        let retry = status.retry.clone().unwrap();
        assert_eq!((retry.attempts, retry.wait()), (2, None));
        assert_eq!((status.last_condition_state.as_str(), status.current_operation), (reason::MITIGATED, None));
        begin(&mut status, &BindingPlace::default(), BindingProperties::default());
        failed(&mut status, &fault(Kind::Orphan), true, PATIENCE);
        assert_eq!(status.retry.unwrap().attempts, 3);
        let mut status = sent();
        give_up(&mut status, reason::RETURNED_FAILURE, "No.", PATIENCE);
        mitigated(&mut status);
        assert!(status.holds(Failed) && status.retry.is_none());
    }

    #[test]
    fn ready_means_that_nothing_is_in_progress() {
        let mut status = sent();
        accepted(&mut status, Some("op".to_owned()), None, PATIENCE);
        assert!(status.async_op_in_progress && status.retry.is_some());
        bound(&mut status, "s");
        assert_eq!(status.last_condition_state, "Ready");
        assert!(!status.async_op_in_progress && status.retry.is_none() && status.current_operation.is_none());
        assert!(status.external_properties.is_some() && status.in_progress_properties.is_none());
        assert_eq!(status.binding, Some(LocalRef::new("s")));
        begin_unbind(&mut status);
        assert_eq!(status.last_condition_state, reason::UNBIND_IN_FLIGHT);
        unbind_failed(&mut status, &fault(Kind::Wrong), PATIENCE);
        assert!(status.retry.is_some() && status.unbind_status == UnbindStatus::Required);
        unbound(&mut status);
        assert_eq!(status.unbind_status, UnbindStatus::Succeeded);
    }

    #[test]
    fn after_days_it_is_called_failed_and_goes_on() {
        let mut status = sent();
        status.operation_start_time = serde_json::from_str(r#""2020-01-01T00:00:00Z""#).unwrap();
        failed(&mut status, &fault(Kind::Again), false, PATIENCE);
        assert_eq!(status.condition(Failed).unwrap().reason, reason::TIMED_OUT);
        assert!(status.retry.is_some());
        bound(&mut status, "s");
        assert!(!status.holds(Failed));
    }
}
