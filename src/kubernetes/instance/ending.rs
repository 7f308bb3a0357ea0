//! What an answer to a delete means for the status: of an instance that the user does not want any more, or of what a
//! failed attempt may have left. Neither ever ends in failure: what cannot be deleted now is tried again.

use super::answer::{Rules, again, ended, patience, pause, stopped};
use super::failure::Failure;
use crate::kubernetes::api::{
    Backoff, ConditionStatus, ConditionType, Conditions, DeprovisionStatus, InstanceStatus, ProvisionStatus, Retry, now,
};

/// The broker has deleted it, or has never heard of it.
pub fn deleted(status: &mut InstanceStatus, rules: Rules) {
    if status.orphan_mitigation_in_progress {
        return mitigated(status, rules);
    }
    ended(status);
    status.external_properties = None;
    status.deprovision_status = DeprovisionStatus::Succeeded;
    status.provision_status = ProvisionStatus::NotProvisioned;
    status.unset(ConditionType::Failed);
    let message = "The instance was deprovisioned successfully.";
    status.set(ConditionType::Ready, ConditionStatus::False, "DeprovisionedSuccessfully", message);
}

/// Nothing is left of the attempt. The next one comes after a pause that grows, unless the failure was final.
fn mitigated(status: &mut InstanceStatus, rules: Rules) {
    let failures = status.ledger.as_ref().map_or(0, |ledger| ledger.failures).max(1);
    let (since, failed) = (status.operation_start_time.clone(), status.holds(ConditionType::Failed));
    let asked = status.in_progress_properties.as_ref().map(|asked| asked.parameter_checksum.clone());
    ended(status);
    status.ledger_mut().unsettled = false;
    status.deprovision_status = DeprovisionStatus::NotRequired;
    status.provision_status = ProvisionStatus::NotProvisioned;
    status.unset(ConditionType::OrphanMitigation);
    let message = if failed {
        status.ledger_mut().refused = asked;
        "What the attempt left at the broker was deleted."
    } else {
        status.ledger_mut().failures = failures;
        status.operation_start_time = since;
        let former = Retry { attempts: failures - 1, not_before: super::answer::at_once() };
        status.retry = Some(Retry::after(Some(&former), rules.backoff, None));
        "What the attempt may have left at the broker was deleted; the next attempt follows."
    };
    status.set(ConditionType::Ready, ConditionStatus::False, "OrphanMitigationSuccessful", message);
}

/// It could not be deleted now.
pub fn delete_failed(status: &mut InstanceStatus, failure: &Failure, rules: Rules) {
    (status.async_op_in_progress, status.last_operation) = (false, None);
    status.ledger_mut().polling_since = None;
    if status.orphan_mitigation_in_progress {
        let message = format!("Error deleting what the attempt may have left: {}", stopped(&failure.message));
        status.set(ConditionType::Ready, ConditionStatus::Unknown, "OrphanMitigationFailed", &message);
        return mitigation_pause(status, failure, rules);
    }
    if failure.concurrency {
        let message = "The broker is still busy with the instance; the request to deprovision follows.";
        return again(status, "DeprovisionWaitsForOperation", message, failure, rules);
    }
    let reason = failure.reason("DeprovisionCallFailed", "ErrorCallingDeprovision");
    let message = format!("Error deprovisioning the instance: {}", stopped(&failure.message));
    waits(status, reason, &message, failure, rules);
}

/// Something must come first, or be mended, before the broker can be asked to delete. The reason is named, and it is tried
/// again for ever.
pub fn waits(status: &mut InstanceStatus, reason: &'static str, message: &str, failure: &Failure, rules: Rules) {
    status.set(ConditionType::Ready, ConditionStatus::Unknown, reason, message);
    pause(status, failure, rules);
    patience(status, message, rules);
}

/// The failures of a mitigation are counted apart from those of the attempts.
fn mitigation_pause(status: &mut InstanceStatus, failure: &Failure, rules: Rules) {
    let backoff = Backoff { most: rules.backoff.most, ..rules.backoff };
    status.retry = Some(Retry::after(status.retry.as_ref(), backoff, failure.retry_after));
    status.operation_start_time.get_or_insert_with(now);
}
