//! ClusterServicePlan and ServicePlan: a plan of an offering.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::class::CatalogStatus;
use super::json::{Object, any_object, nullable};
use super::reference::LocalRef;

/// A plan of a cluster broker's offering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ClusterServicePlan",
    plural = "clusterserviceplans",
    doc = "A plan of a cluster broker's offering.",
    status = "CatalogStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterServicePlanSpec {
    /// What both scopes have.
    #[serde(flatten)]
    pub common: PlanSpec,
    /// The broker that offers it.
    #[schemars(length(min = 1, max = 253))]
    pub cluster_service_broker_name: String,
    /// The class it belongs to.
    #[serde(default)]
    pub cluster_service_class_ref: LocalRef,
}

/// A plan of a namespace's broker's offering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ServicePlan",
    plural = "serviceplans",
    namespaced,
    doc = "A plan of a namespace's broker's offering.",
    status = "CatalogStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ServicePlanSpec {
    /// What both scopes have.
    #[serde(flatten)]
    pub common: PlanSpec,
    /// The broker that offers it.
    #[schemars(length(min = 1, max = 253))]
    pub service_broker_name: String,
    /// The class it belongs to.
    #[serde(default)]
    pub service_class_ref: LocalRef,
}

/// What plans of both scopes have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSpec {
    /// The plan's name in the broker's catalog.
    #[schemars(length(min = 1, max = 63))]
    pub external_name: String,
    /// The plan's id in the broker's catalog.
    #[serde(rename = "externalID")]
    #[schemars(length(min = 1, max = 63))]
    pub external_id: String,
    /// One line.
    #[schemars(length(min = 1))]
    pub description: String,
    /// Whether instances can be bound; overrides the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindable: Option<bool>,
    /// Whether it costs nothing.
    #[serde(default, deserialize_with = "nullable")]
    pub free: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub external_metadata: Option<Object>,
    /// JSON Schema of the parameters of a provision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub instance_create_parameter_schema: Option<Object>,
    /// JSON Schema of the parameters of an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub instance_update_parameter_schema: Option<Object>,
    /// JSON Schema of the parameters of a bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub service_binding_create_parameter_schema: Option<Object>,
    /// Parameters that every instance gets unless the user says otherwise. Set by hand; a relist keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub default_provision_parameters: Option<Object>,
    /// Whether a binding can be replaced by a new one that takes over from it. An addition of ours, as are the next three: svcat never
    /// writes plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_rotatable: Option<bool>,
    /// For how many seconds an operation is polled at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub maximum_polling_duration: Option<i64>,
    /// Whether an instance can leave this plan for another; overrides the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_updatable: Option<bool>,
    /// The version of what its instances run on (`maintenance_info`). An older instance moves to it when it is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_version: Option<String>,
}
