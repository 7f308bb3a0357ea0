//! ClusterServiceBroker and ServiceBroker: where a broker is and how its catalog is read.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, Conditions};
use super::json::{base64, nullable};
use super::reference::{LocalRef, ObjectRef};
use super::retry::Retry;

/// A broker whose offerings the whole cluster can order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ClusterServiceBroker",
    plural = "clusterservicebrokers",
    doc = "A broker whose offerings the whole cluster can order.",
    status = "BrokerStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterServiceBrokerSpec {
    /// What both scopes have.
    #[serde(flatten)]
    pub common: BrokerSpec,
    /// Who we are to the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_info: Option<AuthInfo<ObjectRef>>,
}

/// A broker whose offerings one namespace can order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, CustomResource)]
#[kube(
    group = "servicecatalog.k8s.io",
    version = "v1beta1",
    kind = "ServiceBroker",
    plural = "servicebrokers",
    namespaced,
    doc = "A broker whose offerings one namespace can order.",
    status = "BrokerStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceBrokerSpec {
    /// What both scopes have.
    #[serde(flatten)]
    pub common: BrokerSpec,
    /// Who we are to the broker; the Secret is in the broker's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_info: Option<AuthInfo<LocalRef>>,
}

/// What brokers of both scopes have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerSpec {
    /// The address of the broker, without `/v2`.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// The broker's certificate is not looked at. A `caBundle` is the better way.
    #[serde(rename = "insecureSkipTLSVerify", default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_skip_tls_verify: bool,
    /// The certificates (PEM, in base64) that alone vouch for the broker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "base64")]
    pub ca_bundle: Option<String>,
    /// Whether the catalog is read again by itself: `Duration` (also if empty) or `Manual`.
    #[serde(default, deserialize_with = "nullable")]
    pub relist_behavior: RelistBehavior,
    /// How often the catalog is read again (`15m0s`); a day if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub relist_duration: Option<String>,
    /// Raise it by one to have the catalog read again now (`svcat sync broker`).
    #[serde(default, deserialize_with = "nullable")]
    #[schemars(range(min = 0))]
    pub relist_requests: i64,
    /// Which classes and plans of the catalog are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_restrictions: Option<CatalogRestrictions>,
}

/// Whether the catalog is read again by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RelistBehavior {
    /// What svcat sends unless it is told otherwise; the same as `Duration`.
    #[serde(rename = "")]
    Unset,
    /// Every `relistDuration`.
    #[default]
    Duration,
    /// Only when the spec changes.
    Manual,
}

/// Which classes and plans are shown: label selectors over properties such as `spec.externalName` or `spec.free`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogRestrictions {
    /// Over `name`, `spec.externalName`, `spec.externalID`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub service_class: Vec<String>,
    /// Over those, `spec.free`, and `spec.clusterServiceClass.name` or `spec.serviceClass.name`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub service_plan: Vec<String>,
}

/// Who we are to a broker: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthInfo<R> {
    /// A Secret with `username` and `password`, with `tls.crt` and `tls.key` (a client certificate), or with all four.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Login<R>>,
    /// A Secret with `token`, and `tls.crt` and `tls.key` if the broker wants a client certificate, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Login<R>>,
}

/// Where a credential is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login<R> {
    /// The Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<R>,
}

/// What became of a broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStatus {
    /// Whether its catalog is here, and why not.
    #[serde(default, deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that was last worked on, successfully or not.
    #[serde(default, deserialize_with = "nullable")]
    pub reconciled_generation: i64,
    /// Since when attempts fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_start_time: Option<Time>,
    /// When the catalog was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_catalog_retrieval_time: Option<Time>,
    /// What `kubectl get` shows: the last condition.
    #[serde(default, deserialize_with = "nullable")]
    pub last_condition_state: String,
    /// When the next attempt may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

impl Conditions for BrokerStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn parts(&mut self) -> (&mut Vec<Condition>, &mut String) {
        (&mut self.conditions, &mut self.last_condition_state)
    }
}
