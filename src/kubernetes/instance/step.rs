//! What to do next with an instance, from the object alone.

use std::time::Duration;

use kube::Resource;

use crate::kubernetes::api::{
    ConditionType, Conditions, DeprovisionStatus, InstanceOperation, InstanceStatus, ProvisionStatus, Retry,
    ServiceInstance,
};
use crate::kubernetes::finalizer;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Nothing before that.
    Wait(Duration),
    /// Nothing, ever: the user has taken the finalizer away (`svcat deprovision --abandon`).
    HandsOff,
    /// Let the object go: the broker has nothing.
    Release,
    /// Delete it at the broker; its bindings first.
    Delete,
    /// Delete at the broker what a failed attempt may have left.
    Mitigate,
    /// Ask how far the operation is.
    Poll,
    /// See whether the broker must be asked for something, and ask.
    Work,
    /// All is well, unless what a Secret holds has changed.
    Look,
}

impl Step {
    /// It ends in a call that nothing but the status forbids: the status must be the newest.
    pub fn repeats(self, status: &InstanceStatus) -> bool {
        match self {
            Self::Poll | Self::Mitigate => true,
            Self::Delete | Self::Work => status.operation().is_some(),
            _ => false,
        }
    }
}

/// Decides.
pub fn next(instance: &ServiceInstance) -> Step {
    let none = InstanceStatus::default();
    let status = instance.status.as_ref().unwrap_or(&none);
    let deleting = instance.metadata.deletion_timestamp.is_some();
    let has_finalizer = finalizer::is_put(instance);
    if !has_finalizer && (deleting || is_known(status)) {
        return Step::HandsOff;
    }
    let wait = status.retry.as_ref().and_then(Retry::wait);
    if deleting {
        return match status.operation() {
            // The attempts to make it were all refused.
            None | Some(InstanceOperation::Provision) if !is_required(status) => Step::Release,
            Some(InstanceOperation::Deprovision) => match wait {
                Some(wait) => Step::Wait(wait),
                None if status.async_op_in_progress => Step::Poll,
                None => Step::Delete,
            },
            // Whatever goes on, the user does not want it any more: the pauses of a provision do not count.
            _ => Step::Delete,
        };
    }
    let seen = status.observed_generation == instance.meta().generation.unwrap_or_default();
    match wait {
        Some(wait) if seen || status.async_op_in_progress || status.orphan_mitigation_in_progress => Step::Wait(wait),
        _ if status.async_op_in_progress => Step::Poll,
        _ if status.orphan_mitigation_in_progress => Step::Mitigate,
        _ if !seen || !is_settled(status) => Step::Work,
        _ if instance.spec.parameters_from.is_empty() => Step::Rest,
        _ => Step::Look,
    }
}

/// The broker has been asked for it at some time, so the finalizer was there.
pub fn is_known(status: &InstanceStatus) -> bool {
    status.operation().is_some() || status.provision_status != ProvisionStatus::Unset || is_required(status)
}

/// The broker has something, or may have.
fn is_required(status: &InstanceStatus) -> bool {
    let required = matches!(status.deprovision_status, DeprovisionStatus::Required | DeprovisionStatus::Failed);
    required || status.orphan_mitigation_in_progress
}

/// Nothing is to be done until something changes.
fn is_settled(status: &InstanceStatus) -> bool {
    let over = status.holds(ConditionType::Ready) || status.holds(ConditionType::Failed);
    over && status.operation().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::api::FINALIZER;

    fn instance(deleting: bool, finalizer: bool, generation: i64, status: Value) -> ServiceInstance {
        let mut metadata = json!({ "name": "i", "generation": generation });
        if deleting {
            metadata["deletionTimestamp"] = json!("2020-01-01T00:00:00Z");
        }
        if finalizer {
            metadata["finalizers"] = json!([FINALIZER]);
        }
        serde_json::from_value(json!({
            "apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance",
            "metadata": metadata, "spec": {}, "status": status,
        }))
        .unwrap()
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({ "type": type_, "status": status, "lastTransitionTime": "2020-01-01T00:00:00Z" })
    }

    #[test]
    fn the_table_of_steps() {
        let ready = json!([condition("Ready", "True")]);
        let failed = json!([condition("Ready", "False"), condition("Failed", "True")]);
        let later = json!({ "attempts": 3, "notBefore": "2999-01-01T00:00:00.000000Z" });
        let there = json!({ "observedGeneration": 2, "conditions": ready, "provisionStatus": "Provisioned",
            "deprovisionStatus": "Required" });
        let refused = json!({ "observedGeneration": 2, "conditions": failed, "provisionStatus": "NotProvisioned",
            "deprovisionStatus": "NotRequired" });
        let op = |operation: &str, more: Value| {
            let mut status = json!({ "observedGeneration": 2, "deprovisionStatus": "Required",
                "currentOperation": operation, "conditions": [condition("Ready", "False")] });
            status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            status
        };
        let (polled, mitigated) = (json!({"asyncOpInProgress": true}), json!({"orphanMitigationInProgress": true}));
        let waits = |more: &Value| {
            let mut more = more.clone();
            more["retry"] = later.clone();
            more
        };
        let none = json!({});
        for (case, deleting, finalizer, generation, status, step) in [
            ("new", false, false, 1, &none, "Work"),
            ("new and deleted", true, false, 1, &none, "HandsOff"),
            ("never sent and deleted", true, true, 1, &none, "Release"),
            ("at rest", false, true, 2, &there, "Rest"),
            ("changed", false, true, 3, &there, "Work"),
            ("abandoned", false, false, 3, &there, "HandsOff"),
            ("abandoned and deleted", true, false, 2, &there, "HandsOff"),
            ("deleted", true, true, 3, &there, "Delete"),
            ("refused for good", false, true, 2, &refused, "Rest"),
            ("refused and changed", false, true, 3, &refused, "Work"),
            ("refused and deleted", true, true, 2, &refused, "Release"),
            ("in flight", false, true, 2, &op("Provision", none.clone()), "Work"),
            ("failed for now", false, true, 2, &op("Provision", waits(&none)), "Wait"),
            ("failed for now and changed", false, true, 3, &op("Provision", waits(&none)), "Work"),
            ("going on", false, true, 2, &op("Provision", polled.clone()), "Poll"),
            (
                "always refused and deleted",
                true,
                true,
                2,
                &op("Provision", json!({"deprovisionStatus": "NotRequired"})),
                "Release",
            ),
            ("going on, not yet", false, true, 3, &op("Update", waits(&polled)), "Wait"),
            ("going on and deleted", true, true, 2, &op("Provision", waits(&polled)), "Delete"),
            ("left something", false, true, 2, &op("Provision", mitigated.clone()), "Mitigate"),
            ("left something, not yet", false, true, 3, &op("Provision", waits(&mitigated)), "Wait"),
            ("left something and deleted", true, true, 2, &op("Provision", mitigated.clone()), "Delete"),
            ("being deleted", true, true, 2, &op("Deprovision", polled.clone()), "Poll"),
            ("not deleted yet", true, true, 2, &op("Deprovision", waits(&none)), "Wait"),
            ("given up by Service Catalog", true, true, 2, &json!({"deprovisionStatus": "Failed"}), "Delete"),
            ("gone", true, true, 2, &json!({"deprovisionStatus": "Succeeded"}), "Release"),
        ] {
            let found = next(&instance(deleting, finalizer, generation, status.clone()));
            let word = format!("{found:?}");
            assert_eq!(word.split('(').next(), Some(step), "{case}");
        }
    }

    #[test]
    fn a_secret_is_looked_at_only_where_there_is_one() {
        let status = json!({ "observedGeneration": 1, "conditions": [condition("Ready", "True")],
            "provisionStatus": "Provisioned", "deprovisionStatus": "Required" });
        let mut instance = instance(false, true, 1, status);
        assert_eq!(next(&instance), Step::Rest);
        instance.spec.parameters_from.push(crate::kubernetes::api::ParametersFrom::default());
        assert_eq!(next(&instance), Step::Look);
    }
}
