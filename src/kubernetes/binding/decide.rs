//! What is to be done next with a binding, read from the object alone. Pure.

use std::time::Duration;

use super::options;
use crate::kubernetes::api::{
    BindingOperation, BindingStatus, ConditionType, Conditions, Retry, ServiceBinding, UnbindStatus,
};
use crate::kubernetes::finalizer;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until something changes: it failed for good, or the user has taken it out of our hands (`--abandon`).
    Nothing,
    /// Nothing before this time is over.
    Wait(Duration),
    /// The defaults are to be written.
    Defaults,
    /// It failed for good, and somebody asks for another attempt.
    Revive,
    /// The broker works on it, and is asked how far it is.
    Poll,
    /// What a failed attempt may have left is to be deleted.
    Mitigate,
    /// The bind is to be sent, for the first time or again.
    Bind,
    /// The credentials are there: the Secret is to be kept as it should be, and they are to be replaced in time.
    Keep,
    /// It is to be deleted.
    Unbind,
}

/// What is to be done next.
pub fn next(binding: &ServiceBinding) -> Step {
    let none = BindingStatus::default();
    let status = binding.status.as_ref().unwrap_or(&none);
    let abandoned = begun(status) && !finalizer::is_put(binding);
    if binding.metadata.deletion_timestamp.is_some() {
        return if finalizer::is_put(binding) { Step::Unbind } else { Step::Nothing };
    }
    if abandoned {
        return Step::Nothing;
    }
    if binding.spec.external_id.is_empty() || binding.spec.secret_name.is_empty() {
        return Step::Defaults;
    }
    if established(status) {
        return Step::Keep;
    }
    let ended = status.holds(ConditionType::Failed) && status.retry.is_none();
    if ended && !status.orphan_mitigation_in_progress {
        let asked = options::retry(binding);
        return if !asked.is_empty() && asked != status.retried { Step::Revive } else { Step::Nothing };
    }
    if let Some(wait) = status.retry.as_ref().and_then(Retry::wait) {
        return Step::Wait(wait);
    }
    match (status.async_op_in_progress, status.orphan_mitigation_in_progress) {
        (true, _) => Step::Poll,
        (false, true) => Step::Mitigate,
        (false, false) => Step::Bind,
    }
}

/// A call to the broker was made, or may have been.
pub fn begun(status: &BindingStatus) -> bool {
    let operation = matches!(status.current_operation, Some(BindingOperation::Bind | BindingOperation::Unbind));
    operation || !matches!(status.unbind_status, UnbindStatus::Unset | UnbindStatus::NotRequired)
}

/// The bind was sent, and how it ended is not known.
pub fn in_flight(status: &BindingStatus) -> bool {
    status.current_operation == Some(BindingOperation::Bind)
}

/// The broker has it, and its credentials were in the Secret.
fn established(status: &BindingStatus) -> bool {
    let idle = !matches!(status.current_operation, Some(BindingOperation::Bind | BindingOperation::Unbind));
    let there = status.external_properties.is_some() && status.unbind_status == UnbindStatus::Required;
    idle && !status.orphan_mitigation_in_progress && (there || status.holds(ConditionType::Ready))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn binding(metadata: Value, status: Value) -> ServiceBinding {
        let mut whole = json!({
            "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding",
            "metadata": {"name": "b", "finalizers": ["kubernetes-incubator/service-catalog"]},
            "spec": {"instanceRef": {"name": "i"}, "externalID": "id", "secretName": "s"},
            "status": status,
        });
        whole["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({"type": type_, "status": status, "lastTransitionTime": "2020-01-01T00:00:00Z", "reason": "R"})
    }

    #[test]
    fn the_object_says_what_is_next() {
        let past = json!({"attempts": 3, "notBefore": "2020-01-01T00:00:00.000000Z"});
        let (ready, unready) = (condition("Ready", "True"), condition("Ready", "False"));
        let failed = condition("Failed", "True");
        let deleted = json!({"deletionTimestamp": "2020-01-01T00:00:00Z"});
        let abandoned = json!({"finalizers": []});
        let retry = json!({"annotations": {"chandlery.dev/retry": "2"}});
        for (metadata, status, step) in [
            (json!({}), json!({}), Step::Bind),
            (abandoned.clone(), json!({}), Step::Bind),
            (json!({}), json!({"conditions": [unready], "retry": past}), Step::Bind),
            (json!({}), json!({"currentOperation": "Bind", "unbindStatus": "Required"}), Step::Bind),
            (json!({}), json!({"currentOperation": "Bind", "asyncOpInProgress": true}), Step::Poll),
            (json!({}), json!({"currentOperation": "Bind", "orphanMitigationInProgress": true}), Step::Mitigate),
            (
                json!({}),
                json!({"conditions": [failed], "orphanMitigationInProgress": true, "retry": past}),
                Step::Mitigate,
            ),
            (json!({}), json!({"conditions": [failed], "retry": past}), Step::Bind),
            (json!({}), json!({"conditions": [unready, failed]}), Step::Nothing),
            (retry.clone(), json!({"conditions": [failed], "retried": "1"}), Step::Revive),
            (retry, json!({"conditions": [failed], "retried": "2"}), Step::Nothing),
            (json!({}), json!({"conditions": [ready], "unbindStatus": "Required"}), Step::Keep),
            (
                json!({}),
                json!({"conditions": [unready], "unbindStatus": "Required", "externalProperties": {}}),
                Step::Keep,
            ),
            (deleted.clone(), json!({"conditions": [ready], "unbindStatus": "Required"}), Step::Unbind),
            (deleted.clone(), json!({"conditions": [failed]}), Step::Unbind),
            (
                json!({"deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": ["other"]}),
                json!({"unbindStatus": "Required"}),
                Step::Nothing,
            ),
            (abandoned.clone(), json!({"conditions": [ready], "unbindStatus": "Required"}), Step::Nothing),
            (abandoned, json!({"currentOperation": "Bind"}), Step::Nothing),
        ] {
            assert_eq!(next(&binding(metadata.clone(), status.clone())), step, "{metadata} {status}");
        }
        let later = json!({"attempts": 1, "notBefore": "2999-01-01T00:00:00.000000Z"});
        assert!(matches!(next(&binding(json!({}), json!({"retry": later}))), Step::Wait(_)));
        let mut fresh = binding(json!({}), json!({}));
        fresh.spec.secret_name.clear();
        assert_eq!(next(&fresh), Step::Defaults);
    }
}
