//! What the status says before a call goes out. It is written first: whoever finds it knows what may be at the broker.

use super::refs::Found;
use crate::kubernetes::api::{
    ConditionStatus, ConditionType, Conditions, DeprovisionStatus, InstanceOperation, InstanceProperties,
    InstanceStatus, ProvisionStatus, ServiceInstanceSpec, now,
};
use crate::kubernetes::parameters::Given;

/// A provision or an update is about to be sent.
pub fn order(
    status: &mut InstanceStatus,
    operation: InstanceOperation,
    spec: &ServiceInstanceSpec,
    generation: i64,
    found: &Found,
    given: &Given,
    maintenance: Option<String>,
) {
    // After a mitigation nothing is going on, but the failures before it count.
    let failures = status.ledger.as_ref().map_or(0, |ledger| ledger.failures);
    let goes_on = status.operation().map_or(failures > 0, |former| former == operation);
    let again = goes_on && status.observed_generation == generation;
    if !again {
        status.operation_start_time = Some(now());
        status.ledger_mut().failures = 0;
    }
    // The last call was not answered, as far as is known: whatever this one says, something may be there.
    let unanswered = status.operation() == Some(operation) && status.retry.is_none();
    status.ledger_mut().unsettled |= unanswered;
    status.current_operation = Some(operation);
    status.in_progress_properties = Some(properties(spec, found, given));
    status.last_operation = None;
    seen(status, generation, found);
    let ledger = status.ledger_mut();
    ledger.broker_name.clone_from(&found.broker);
    ledger.service_id.clone_from(&found.service_id);
    ledger.update_requests = spec.update_requests;
    (ledger.polling_since, ledger.refused, ledger.remark) = (None, None, None);
    ledger.maintenance_asked = maintenance;
    let (reason, message) = if operation == InstanceOperation::Provision {
        status.deprovision_status = DeprovisionStatus::Required;
        status.provision_status = ProvisionStatus::NotProvisioned;
        ("ProvisionRequestInFlight", "The request to provision is sent to the broker.")
    } else {
        ("UpdateInstanceRequestInFlight", "The request to update is sent to the broker.")
    };
    status.set(ConditionType::Ready, ConditionStatus::False, reason, message);
    status.unset(ConditionType::OrphanMitigation);
    // After a long time without success it is called Failed although it goes on; that is not taken back before it helped.
    if !again {
        status.unset(ConditionType::Failed);
    }
}

/// This generation of the spec has been looked at.
pub fn seen(status: &mut InstanceStatus, generation: i64, found: &Found) {
    (status.observed_generation, status.reconciled_generation) = (generation, generation);
    status.retry = None;
    let kind = if found.cluster { "ClusterServiceClass" } else { "ServiceClass" };
    status.user_specified_class_name = format!("{kind}/{}", found.class_name);
    status.user_specified_plan_name.clone_from(&found.plan_name);
}

/// A deprovision is about to be sent.
pub fn deprovision(status: &mut InstanceStatus, generation: i64, left: InstanceProperties) {
    let is_new = status.operation() != Some(InstanceOperation::Deprovision);
    if is_new {
        status.operation_start_time = Some(now());
        let ledger = status.ledger_mut();
        (ledger.failures, ledger.polling_since) = (0, None);
        status.in_progress_properties = Some(left);
        // The pauses of what went on before are none of its own.
        status.unset(ConditionType::Failed);
    }
    status.current_operation = Some(InstanceOperation::Deprovision);
    status.deprovision_status = DeprovisionStatus::Required;
    (status.async_op_in_progress, status.orphan_mitigation_in_progress) = (false, false);
    (status.last_operation, status.retry) = (None, None);
    (status.observed_generation, status.reconciled_generation) = (generation, generation);
    status.unset(ConditionType::OrphanMitigation);
    // Why it has failed so far stays until there is something else to say: an attempt is no news, and a condition that goes
    // to and fro tells whoever waits for it nothing.
    if is_new {
        let message = "The request to deprovision is sent to the broker.";
        status.set(ConditionType::Ready, ConditionStatus::False, "DeprovisionRequestInFlight", message);
    }
}

/// What a failed attempt may have left is about to be deleted.
pub fn mitigation(status: &mut InstanceStatus, reason: &'static str, message: &str) {
    status.orphan_mitigation_in_progress = true;
    status.async_op_in_progress = false;
    (status.last_operation, status.retry) = (None, None);
    status.ledger_mut().polling_since = None;
    let ready = format!("What the attempt may have left at the broker is deleted first. {message}");
    status.set(ConditionType::Ready, ConditionStatus::False, "StartingInstanceOrphanMitigation", ready);
    status.set(ConditionType::OrphanMitigation, ConditionStatus::True, reason, message);
}

fn properties(spec: &ServiceInstanceSpec, found: &Found, given: &Given) -> InstanceProperties {
    let shown = Some(given.shown.clone()).filter(|shown| !shown.is_empty());
    let mut properties = InstanceProperties {
        parameters: shown,
        parameter_checksum: given.checksum.clone(),
        user_info: spec.user_info.clone(),
        ..InstanceProperties::default()
    };
    let (name, id) = if found.cluster {
        (&mut properties.cluster_service_plan_external_name, &mut properties.cluster_service_plan_external_id)
    } else {
        (&mut properties.service_plan_external_name, &mut properties.service_plan_external_id)
    };
    (*name, *id) = (found.plan_name.clone(), found.plan_id.clone());
    properties
}
