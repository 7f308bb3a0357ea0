//! ClusterServiceClass and ServiceClass: an offering.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::{Object, any_object, nullable};

/// An offering of a cluster broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ClusterServiceClass",
    plural = "clusterserviceclasses",
    doc = "An offering of a cluster broker.",
    status = "CatalogStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterServiceClassSpec {
    /// What both scopes have.
    #[serde(flatten)]
    pub common: ClassSpec,
    /// The broker that offers it.
    #[schemars(length(min = 1, max = 253))]
    pub cluster_service_broker_name: String,
}

/// An offering of a namespace's broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ServiceClass",
    plural = "serviceclasses",
    namespaced,
    doc = "An offering of a namespace's broker.",
    status = "CatalogStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceClassSpec {
    /// What both scopes have.
    #[serde(flatten)]
    pub common: ClassSpec,
    /// The broker that offers it.
    #[schemars(length(min = 1, max = 253))]
    pub service_broker_name: String,
}

/// What classes of both scopes have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassSpec {
    /// The offering's name in the broker's catalog.
    #[schemars(length(min = 1, max = 63))]
    pub external_name: String,
    /// The offering's id in the broker's catalog.
    #[serde(rename = "externalID")]
    #[schemars(length(min = 1, max = 63))]
    pub external_id: String,
    /// One line.
    #[schemars(length(min = 1))]
    pub description: String,
    /// Whether instances can be bound; a plan may say otherwise.
    #[serde(default, deserialize_with = "nullable")]
    pub bindable: bool,
    /// Whether a binding can be fetched, which an asynchronous one needs.
    #[serde(default, deserialize_with = "nullable")]
    pub binding_retrievable: bool,
    /// Whether an instance can change its plan.
    #[serde(default, deserialize_with = "nullable")]
    pub plan_updatable: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub external_metadata: Option<Object>,
    /// For searching.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Permissions of Cloud Foundry that the broker asks for; they mean nothing here.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Parameters that every instance gets unless its plan or the user says otherwise. Set by hand; a relist keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub default_provision_parameters: Option<Object>,
}

/// What became of a class or a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogStatus {
    /// It is no longer in the broker's catalog: instances that use it stay, new ones are refused.
    #[serde(default, deserialize_with = "nullable")]
    pub removed_from_broker_catalog: bool,
}
