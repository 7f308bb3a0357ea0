//! What an answer to a provision or an update means for the status. Pure: the tables of the protocol and of Service Catalog,
//! and nothing else.

use std::time::Duration;

use super::begin;
use super::failure::Failure;
use crate::kubernetes::api::{
    Backoff, ConditionStatus, ConditionType, Conditions, DeprovisionStatus, InstanceOperation, InstanceStatus,
    ProvisionStatus, Retry, now,
};

/// How patient we are.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How pauses grow.
    pub backoff: Backoff,
    /// After how long a thing that still fails is called Failed.
    pub patience: Duration,
}

/// Another operation at the broker ends some time soon: pauses need not grow for ever.
const CONCURRENCY: Duration = Duration::from_secs(30);

/// An operation that goes on is asked for at least as often, unless the broker says otherwise.
const POLLS: Duration = Duration::from_secs(60);

/// The broker has what was asked for.
pub fn succeeded(status: &mut InstanceStatus, dashboard_url: Option<String>) {
    let update = status.operation() == Some(InstanceOperation::Update);
    let (reason, message) = if update {
        ("InstanceUpdatedSuccessfully", "The instance was updated successfully.")
    } else {
        ("ProvisionedSuccessfully", "The instance was provisioned successfully.")
    };
    if let Some(properties) = status.in_progress_properties.take() {
        status.external_properties = Some(properties);
    }
    keep_dashboard(status, dashboard_url);
    status.provision_status = ProvisionStatus::Provisioned;
    status.deprovision_status = DeprovisionStatus::Required;
    ended(status);
    let ledger = status.ledger_mut();
    (ledger.unsettled, ledger.unusable) = (false, false);
    if let Some(version) = ledger.maintenance_asked.take() {
        ledger.maintenance_version = Some(version);
    }
    ready(status, reason, message);
}

/// It can be used.
pub fn ready(status: &mut InstanceStatus, reason: &'static str, message: &str) {
    let remark = status.ledger.as_ref().and_then(|ledger| ledger.remark.as_deref()).unwrap_or_default();
    let message = format!("{message} {remark}").trim_end().to_owned();
    status.unset(ConditionType::Failed);
    status.unset(ConditionType::OrphanMitigation);
    status.set(ConditionType::Ready, ConditionStatus::True, reason, message);
}

/// The broker works on it.
pub fn accepted(
    status: &mut InstanceStatus,
    operation: Option<String>,
    dashboard_url: Option<String>,
    rules: Rules,
    retry_after: Option<Duration>,
) {
    let (reason, message) = match status.operation() {
        _ if status.orphan_mitigation_in_progress => ("Deprovisioning", "The broker deletes what the attempt left."),
        Some(InstanceOperation::Update) => ("UpdatingInstance", "The instance is being updated asynchronously."),
        Some(InstanceOperation::Deprovision) => {
            ("Deprovisioning", "The instance is being deprovisioned asynchronously.")
        }
        _ => ("Provisioning", "The instance is being provisioned asynchronously."),
    };
    keep_dashboard(status, dashboard_url);
    status.async_op_in_progress = true;
    status.last_operation = operation.filter(|operation| !operation.is_empty());
    status.ledger_mut().polling_since = Some(now());
    status.retry = None;
    poll_again(status, rules, retry_after);
    status.set(ConditionType::Ready, ConditionStatus::False, reason, message);
}

/// The next poll.
pub fn poll_again(status: &mut InstanceStatus, rules: Rules, retry_after: Option<Duration>) {
    let backoff = Backoff { most: rules.backoff.most.min(POLLS), ..rules.backoff };
    status.retry = Some(Retry::after(status.retry.as_ref(), backoff, retry_after));
}

/// A provision failed. `adopts`: the id is the user's, and may name something that was there before us.
pub fn provision_failed(status: &mut InstanceStatus, failure: &Failure, adopts: bool, rules: Rules) {
    let message = format!("Error provisioning the instance: {}", stopped(&failure.message));
    if failure.is_final() {
        status.provision_status = ProvisionStatus::NotProvisioned;
        status.deprovision_status = DeprovisionStatus::NotRequired;
        refused(status);
        status.set(ConditionType::Ready, ConditionStatus::False, "ProvisionCallFailed", &message);
        status.set(ConditionType::Failed, ConditionStatus::True, "ClusterServiceBrokerReturnedFailure", message);
    } else if failure.orphan && !adopts {
        status.ledger_mut().failures += 1;
        let reason = failure.reason("ProvisionCallFailed", "ErrorCallingProvision");
        begin::mitigation(status, reason, &message);
    } else {
        let reason = failure.reason("ProvisionCallFailed", "ErrorCallingProvision");
        let adopted = " The id is the spec's own, so nothing is deleted at the broker; the request is repeated.";
        let message = if failure.orphan { format!("{message}{adopted}") } else { message };
        let ledger = status.ledger_mut();
        ledger.unsettled |= failure.orphan;
        if !ledger.unsettled {
            // Nothing was made. An id that is somebody else's must not be deleted with this object.
            status.deprovision_status = DeprovisionStatus::NotRequired;
        }
        again(status, reason, &message, failure, rules);
    }
}

/// An update failed. What the broker had, it has still, or that is not known.
pub fn update_failed(status: &mut InstanceStatus, failure: &Failure, rules: Rules) {
    let message = format!("Error updating the instance: {}", stopped(&failure.message));
    status.ledger_mut().unsettled |= failure.unsettles();
    if failure.is_final() || !failure.repeatable || !failure.usable {
        update_ended(status, "UpdateInstanceCallFailed", message, failure.usable);
    } else {
        let reason = failure.reason("UpdateInstanceCallFailed", "ErrorCallingUpdateInstance");
        again(status, reason, &message, failure, rules);
    }
}

/// An update has failed and is not tried again until the user changes something.
pub fn update_ended(status: &mut InstanceStatus, reason: &'static str, message: String, usable: bool) {
    refused(status);
    status.ledger_mut().unusable |= !usable;
    let message = if usable { message } else { format!("{message} The instance cannot be used any more.") };
    status.set(ConditionType::Ready, ConditionStatus::False, reason, &message);
    status.set(ConditionType::Failed, ConditionStatus::True, reason, message);
}

/// It is tried again after a pause.
pub fn again(status: &mut InstanceStatus, reason: &'static str, message: &str, failure: &Failure, rules: Rules) {
    status.set(ConditionType::Ready, ConditionStatus::False, reason, message);
    pause(status, failure, rules);
    patience(status, message, rules);
}

/// The pause after one more failure.
pub fn pause(status: &mut InstanceStatus, failure: &Failure, rules: Rules) {
    let ledger = status.ledger_mut();
    ledger.failures = ledger.failures.saturating_add(1);
    let failures = ledger.failures;
    let most = if failure.concurrency { CONCURRENCY.min(rules.backoff.most) } else { rules.backoff.most };
    // The failures are counted over what came between them, such as a mitigation.
    let former = status.retry.take().map(|former| Retry { attempts: failures - 1, ..former });
    let former = former.or_else(|| Some(Retry { attempts: failures - 1, not_before: at_once() }));
    status.retry = Some(Retry::after(former.as_ref(), Backoff { most, ..rules.backoff }, failure.retry_after));
}

/// What has failed for too long is called Failed, for `svcat --wait` and for people. It is tried on.
pub fn patience(status: &mut InstanceStatus, message: &str, rules: Rules) {
    let since = status.operation_start_time.get_or_insert_with(now).0;
    if now().0.duration_since(since).unsigned_abs() > rules.patience {
        let message = format!("It has failed for a long time, and is still tried. {message}");
        status.set(ConditionType::Failed, ConditionStatus::True, "ErrorReconciliationRetryTimeout", message);
    }
}

/// The operation is over, whatever came of it.
pub fn ended(status: &mut InstanceStatus) {
    status.current_operation = None;
    (status.in_progress_properties, status.operation_start_time) = (None, None);
    (status.async_op_in_progress, status.orphan_mitigation_in_progress) = (false, false);
    (status.last_operation, status.retry) = (None, None);
    let ledger = status.ledger_mut();
    (ledger.failures, ledger.polling_since) = (0, None);
}

/// The operation is over; with other parameters, it may be tried again.
pub fn refused(status: &mut InstanceStatus) {
    let asked = status.in_progress_properties.as_ref().map(|asked| asked.parameter_checksum.clone());
    ended(status);
    status.ledger_mut().refused = asked;
}

pub fn at_once() -> k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime {
    k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(now().0)
}

/// The dashboard is told in the first answer or never: silence keeps what was told before.
fn keep_dashboard(status: &mut InstanceStatus, url: Option<String>) {
    if let Some(url) = url.filter(|url| !url.is_empty()) {
        status.dashboard_url = Some(url);
    }
}

/// A sentence ends with a full stop.
pub fn stopped(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::api::InstanceProperties;

    const RULES: Rules = Rules {
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(1200) },
        patience: Duration::from_secs(7 * 24 * 3600),
    };

    fn asked(operation: InstanceOperation) -> InstanceStatus {
        let properties = InstanceProperties { parameter_checksum: "new".into(), ..Default::default() };
        InstanceStatus {
            current_operation: Some(operation),
            deprovision_status: DeprovisionStatus::Required,
            in_progress_properties: Some(properties),
            operation_start_time: Some(now()),
            ..Default::default()
        }
    }

    fn failure(status: u16) -> Failure {
        let orphan = status >= 500 || status == 0;
        let status = Some(status).filter(|status| *status > 0);
        Failure { message: "no".into(), status, orphan, usable: true, repeatable: true, ..Failure::default() }
    }

    /// `Ready`, `Failed`, `OrphanMitigation`: their reasons.
    fn reasons(status: &InstanceStatus) -> [&str; 3] {
        [ConditionType::Ready, ConditionType::Failed, ConditionType::OrphanMitigation]
            .map(|type_| status.condition(type_).map_or("", |condition| condition.reason.as_str()))
    }

    #[test]
    fn the_table_of_a_failed_provision() {
        let mitigates = "StartingInstanceOrphanMitigation";
        for (code, adopts, expected, retried) in [
            (400, false, ["ProvisionCallFailed", "ClusterServiceBrokerReturnedFailure", ""], false),
            (409, false, ["ProvisionCallFailed", "", ""], true),
            (422, false, ["ProvisionCallFailed", "", ""], true),
            (429, false, ["ProvisionCallFailed", "", ""], true),
            (500, false, [mitigates, "", "ProvisionCallFailed"], false),
            (503, false, [mitigates, "", "ProvisionCallFailed"], false),
            (0, false, [mitigates, "", "ErrorCallingProvision"], false),
            (500, true, ["ProvisionCallFailed", "", ""], true),
            (0, true, ["ErrorCallingProvision", "", ""], true),
        ] {
            let mut status = asked(InstanceOperation::Provision);
            provision_failed(&mut status, &failure(code), adopts, RULES);
            assert_eq!(reasons(&status), expected, "{code}");
            assert_eq!(status.retry.is_some(), retried, "{code}");
            assert_eq!(status.orphan_mitigation_in_progress, !expected[2].is_empty(), "{code}");
            let required = status.deprovision_status == DeprovisionStatus::Required;
            assert_eq!(required, code >= 500 || code == 0, "{code}: nothing was made, so nothing is deleted");
            let ended = status.operation().is_none();
            assert_eq!((ended, status.in_progress_properties.is_none()), (code == 400, code == 400), "{code}");
        }
    }

    #[test]
    fn pauses_grow_with_the_failures_and_the_broker_may_ask_for_more() {
        let mut status = asked(InstanceOperation::Provision);
        let mut pauses = Vec::new();
        for _ in 0..4 {
            provision_failed(&mut status, &failure(409), false, RULES);
            pauses.push(status.retry.as_ref().unwrap().wait().unwrap().as_secs_f64().round());
            // As the next attempt does.
            status.retry = None;
        }
        assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0]);
        let patient = Failure { retry_after: Some(Duration::from_secs(90)), ..failure(429) };
        provision_failed(&mut status, &patient, false, RULES);
        assert!(status.retry.unwrap().wait().unwrap() > Duration::from_secs(88));
    }

    #[test]
    fn what_fails_for_long_is_called_failed_and_tried_on() {
        let mut status = asked(InstanceOperation::Provision);
        status.operation_start_time = serde_json::from_value(json!("2020-01-01T00:00:00Z")).unwrap();
        provision_failed(&mut status, &failure(409), false, RULES);
        assert_eq!(reasons(&status)[1], "ErrorReconciliationRetryTimeout");
        assert!(status.retry.is_some() && status.operation().is_some());
    }

    #[test]
    fn the_table_of_a_failed_update() {
        let no = |code, usable, repeatable| Failure { usable, repeatable, ..failure(code) };
        for (failure, ready, over, unsettled) in [
            (no(400, true, true), "UpdateInstanceCallFailed", true, false),
            (no(422, true, true), "UpdateInstanceCallFailed", false, false),
            (no(422, true, false), "UpdateInstanceCallFailed", true, false),
            (no(422, false, true), "UpdateInstanceCallFailed", true, true),
            (no(500, true, true), "UpdateInstanceCallFailed", false, true),
            (no(0, true, true), "ErrorCallingUpdateInstance", false, true),
        ] {
            let mut status = asked(InstanceOperation::Update);
            let had = InstanceProperties { parameter_checksum: "old".into(), ..Default::default() };
            status.external_properties = Some(had.clone());
            update_failed(&mut status, &failure, RULES);
            assert_eq!(reasons(&status)[0], ready);
            assert_eq!(
                (status.operation().is_none(), status.holds(ConditionType::Failed)),
                (over, over),
                "{failure:?}"
            );
            assert_eq!(status.retry.is_some(), !over);
            assert!(!status.orphan_mitigation_in_progress && status.external_properties == Some(had));
            let ledger = status.ledger.unwrap();
            assert_eq!((ledger.unsettled, ledger.unusable), (unsettled, !failure.usable), "{failure:?}");
            assert_eq!(ledger.refused.as_deref(), over.then_some("new"));
        }
    }

    #[test]
    fn an_answer_without_a_dashboard_keeps_the_one_that_was_told() {
        let mut status = asked(InstanceOperation::Provision);
        accepted(&mut status, Some(String::new()), Some("d".into()), RULES, None);
        assert_eq!((status.last_operation.as_deref(), reasons(&status)), (None, ["Provisioning", "", ""]));
        assert!(status.async_op_in_progress && status.retry.is_some());
        succeeded(&mut status, None);
        assert_eq!((status.dashboard_url.as_deref(), status.last_condition_state.as_str()), (Some("d"), "Ready"));
        assert_eq!(status.external_properties.as_ref().unwrap().parameter_checksum, "new");
        assert!(!status.async_op_in_progress && status.operation().is_none() && status.retry.is_none());
    }
}
