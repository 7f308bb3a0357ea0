//! What the answer to a poll means for the status.

use std::time::Duration;

use super::answer::{Rules, poll_again, stopped, succeeded, update_ended};
use super::failure::Failure;
use super::{begin, ending};
use crate::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, InstanceOperation, InstanceStatus, now,
};
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
                Some(InstanceOperation::Update) => ("UpdatingInstance", "The instance is being updated asynchronously."),
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
            let failure = Failure { message: message.to_owned(), status: Some(200), usable: true, ..Failure::default() };
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
