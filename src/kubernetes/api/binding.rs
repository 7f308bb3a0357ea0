//! ServiceBinding: the credentials of an instance, in a Secret.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, Conditions};
use super::json::{any_object, nullable};
use super::reference::{LocalRef, ParametersFrom};
use super::retry::Retry;
use super::transform::SecretTransform;
use super::user::UserInfo;
use crate::osb::Parameters;

/// The credentials of an instance, in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ServiceBinding",
    plural = "servicebindings",
    namespaced,
    doc = "The credentials of an instance, in a Secret.",
    status = "BindingStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceBindingSpec {
    /// The instance, in the same namespace.
    #[serde(default)]
    pub instance_ref: LocalRef,
    /// What is asked of the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub parameters: Option<Parameters>,
    /// More of it, from Secrets. A key may come from one source only.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub parameters_from: Vec<ParametersFrom>,
    /// The Secret that is written; the binding's name if not set.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub secret_name: String,
    /// What is done to the credentials before they are written, in this order.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub secret_transforms: Vec<SecretTransform>,
    /// The binding's id at the broker; a UUID if not set.
    #[serde(rename = "externalID", default, deserialize_with = "nullable")]
    #[schemars(length(max = 63))]
    pub external_id: String,
    /// The user who made it. Set by admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_info: Option<UserInfo>,
}

/// What became of a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// Whether the Secret is there, and why not.
    #[serde(default, deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    /// The broker works on it and is polled.
    #[serde(default, deserialize_with = "nullable")]
    pub async_op_in_progress: bool,
    /// The broker's name for the operation in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10000))]
    pub last_operation: Option<String>,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_operation: Option<BindingOperation>,
    /// The generation of the spec that was last worked on.
    #[serde(default, deserialize_with = "nullable")]
    pub reconciled_generation: i64,
    /// Since when the operation in progress is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_start_time: Option<Time>,
    /// What the operation in progress asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress_properties: Option<BindingProperties>,
    /// What the broker was last known to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_properties: Option<BindingProperties>,
    /// What a failed attempt may have left is being deleted.
    #[serde(default, deserialize_with = "nullable")]
    pub orphan_mitigation_in_progress: bool,
    /// Whether the broker must be asked to delete it.
    #[serde(default, deserialize_with = "nullable")]
    pub unbind_status: UnbindStatus,
    /// What `kubectl get` shows: the last condition.
    #[serde(default, deserialize_with = "nullable")]
    pub last_condition_state: String,
    /// The Secret, as the Service Binding specification wants it ("Provisioned Service").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<LocalRef>,
    /// When the next attempt or poll may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Since when the operation in progress is polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polled_since: Option<Time>,
    /// Where it is at the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<BindingPlace>,
    /// How its credentials are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<BindingRotation>,
    /// The value of the annotation `chandlery.dev/retry` that was last acted on.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub retried: String,
}

impl Conditions for BindingStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn parts(&mut self) -> (&mut Vec<Condition>, &mut String) {
        (&mut self.conditions, &mut self.last_condition_state)
    }
}

/// What is being done to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BindingOperation {
    /// Nothing; what older clients may have written.
    #[serde(rename = "")]
    None,
    /// It is made.
    Bind,
    /// It is deleted.
    Unbind,
}

/// Whether the broker must be asked to delete a binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum UnbindStatus {
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
pub struct BindingProperties {
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

/// Where a binding is at a broker: what an unbind needs when instance, class and plan are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingPlace {
    /// The broker is one of the cluster.
    #[serde(default)]
    pub cluster: bool,
    /// The broker's name.
    #[serde(default)]
    pub broker: String,
    /// The class's id there.
    #[serde(rename = "serviceID", default)]
    pub service_id: String,
    /// The plan's id there.
    #[serde(rename = "planID", default)]
    pub plan_id: String,
    /// The instance's id there.
    #[serde(rename = "instanceID", default)]
    pub instance_id: String,
    /// The binding can be fetched, and made asynchronously.
    #[serde(default)]
    pub retrievable: bool,
}

/// How the credentials of a binding are replaced: a further binding is made at the broker, the Secret gets its credentials,
/// and the former one is deleted after both were good for a while.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingRotation {
    /// The id of the binding whose credentials are in the Secret; that of the spec if empty.
    #[serde(rename = "currentID", default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub current_id: String,
    /// When the current credentials end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When they will be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Time>,
    /// When they were last replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// The binding that takes over, while it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextBinding>,
    /// Former ones that are still to be deleted.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<RetiredBinding>,
    /// The value of the annotation `chandlery.dev/rotate-request` that was last acted on.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub requested: String,
    /// Why the last attempt failed.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// When the next attempt may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// A binding that takes over from the current one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextBinding {
    /// Its id at the broker.
    #[serde(default)]
    pub id: String,
    /// The binding it is told to take over from; none where the plan cannot rotate and a new one is made instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<String>,
    /// The broker works on it and is polled.
    #[serde(default)]
    pub polled: bool,
    /// The broker's name for the operation in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The properties it is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<BindingProperties>,
}

/// A binding that is to be deleted at the broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetiredBinding {
    /// Its id at the broker.
    #[serde(default)]
    pub id: String,
    /// Until when it is left, for those who still use its credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// The broker works on it and is polled.
    #[serde(default)]
    pub polled: bool,
    /// The broker's name for the operation in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}
