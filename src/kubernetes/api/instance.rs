//! ServiceInstance: what a user ordered.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::PlanChoice;
use super::condition::{Condition, Conditions};
use super::json::{any_object, nullable};
use super::ledger::Ledger;
use super::reference::{LocalRef, ParametersFrom};
use super::retry::Retry;
use super::user::UserInfo;
use crate::osb::Parameters;

/// An instance of an offering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ServiceInstance",
    plural = "serviceinstances",
    namespaced,
    doc = "An instance of an offering.",
    status = "InstanceStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInstanceSpec {
    /// Which class and plan.
    #[serde(flatten)]
    pub choice: PlanChoice,
    /// The class that was found (cluster). Set by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_service_class_ref: Option<LocalRef>,
    /// The plan that was found (cluster). Set by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_service_plan_ref: Option<LocalRef>,
    /// The class that was found (namespace). Set by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_class_ref: Option<LocalRef>,
    /// The plan that was found (namespace). Set by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_plan_ref: Option<LocalRef>,
    /// What is asked of the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Option<Parameters>,
    /// More of it, from Secrets. A key may come from one source only.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub parameters_from: Vec<ParametersFrom>,
    /// The instance's id at the broker; a UUID if not set. Set it to adopt an instance that is there already.
    #[serde(rename = "externalID", default, deserialize_with = "nullable")]
    #[schemars(length(max = 63))]
    pub external_id: String,
    /// The user who last changed the spec. Set by admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_info: Option<UserInfo>,
    /// Raise it by one to have an update sent although nothing changed (`svcat touch`).
    #[serde(default, deserialize_with = "nullable")]
    #[schemars(range(min = 0))]
    pub update_requests: i64,
}

/// What became of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Whether it can be used, and why not.
    #[serde(default, deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    /// The broker works on it and is polled.
    #[serde(default, deserialize_with = "nullable")]
    pub async_op_in_progress: bool,
    /// What a failed attempt may have left is being deleted.
    #[serde(default, deserialize_with = "nullable")]
    pub orphan_mitigation_in_progress: bool,
    /// The broker's name for the operation in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10000))]
    pub last_operation: Option<String>,
    /// Where the instance's dashboard is.
    #[serde(rename = "dashboardURL", default, skip_serializing_if = "Option::is_none")]
    pub dashboard_url: Option<String>,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_operation: Option<InstanceOperation>,
    /// As `observedGeneration`; older clients read it.
    #[serde(default, deserialize_with = "nullable")]
    pub reconciled_generation: i64,
    /// The generation of the spec that was last worked on.
    #[serde(default, deserialize_with = "nullable")]
    pub observed_generation: i64,
    /// Since when the operation in progress is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_start_time: Option<Time>,
    /// What the operation in progress asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress_properties: Option<InstanceProperties>,
    /// What the broker was last known to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_properties: Option<InstanceProperties>,
    /// Whether it is there.
    #[serde(default, deserialize_with = "nullable")]
    pub provision_status: ProvisionStatus,
    /// Whether the broker must be asked to delete it.
    #[serde(default, deserialize_with = "nullable")]
    pub deprovision_status: DeprovisionStatus,
    /// The parameters that class and plan gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub default_provision_parameters: Option<Parameters>,
    /// What `kubectl get` shows: the last condition.
    #[serde(default, deserialize_with = "nullable")]
    pub last_condition_state: String,
    /// The plan as the user named it.
    #[serde(default, deserialize_with = "nullable")]
    pub user_specified_plan_name: String,
    /// `ClusterServiceClass/` or `ServiceClass/` and the class as the user named it.
    #[serde(default, deserialize_with = "nullable")]
    pub user_specified_class_name: String,
    /// When the next attempt or poll may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What the controller must remember between attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
}

impl Conditions for InstanceStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn parts(&mut self) -> (&mut Vec<Condition>, &mut String) {
        (&mut self.conditions, &mut self.last_condition_state)
    }
}

impl InstanceStatus {
    /// What is being done, if anything.
    pub fn operation(&self) -> Option<InstanceOperation> {
        self.current_operation.filter(|operation| *operation != InstanceOperation::None)
    }

    /// What the controller remembers, to be changed.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        self.ledger.get_or_insert_default()
    }
}

/// What is being done to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum InstanceOperation {
    /// Nothing; what older clients may have written.
    #[serde(rename = "")]
    None,
    /// It is made.
    Provision,
    /// It is changed.
    Update,
    /// It is deleted.
    Deprovision,
}

/// Whether an instance is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ProvisionStatus {
    /// Not decided.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// It is there.
    Provisioned,
    /// It is not.
    NotProvisioned,
}

/// Whether the broker must be asked to delete an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DeprovisionStatus {
    /// Not decided.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// The broker has nothing.
    NotRequired,
    /// The broker has it, or may have it.
    Required,
    /// The broker has deleted it.
    Succeeded,
    /// Service Catalog had given up. We never do, and go on from here.
    Failed,
}

/// What a broker was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceProperties {
    /// The plan's name (cluster).
    #[serde(default, deserialize_with = "nullable")]
    pub cluster_service_plan_external_name: String,
    /// The plan's id (cluster).
    #[serde(rename = "clusterServicePlanExternalID", default, deserialize_with = "nullable")]
    pub cluster_service_plan_external_id: String,
    /// The plan's name (namespace).
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub service_plan_external_name: String,
    /// The plan's id (namespace).
    #[serde(
        rename = "servicePlanExternalID",
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "String::is_empty"
    )]
    pub service_plan_external_id: String,
    /// The parameters, what came from Secrets as `<redacted>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Option<Parameters>,
    /// SHA-256 in hex of the real ones, as compact JSON with sorted keys.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub parameter_checksum: String,
    /// The user on whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_info: Option<UserInfo>,
}

impl InstanceProperties {
    /// The plan's id, of either scope.
    pub fn plan_id(&self) -> &str {
        match self.cluster_service_plan_external_id.as_str() {
            "" => &self.service_plan_external_id,
            id => id,
        }
    }
}
