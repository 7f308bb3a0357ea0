//! What the controller must remember of an instance besides what Service Catalog wrote down. An addition of ours to the
//! status: svcat keeps it, and an object without it (taken over from Service Catalog) is worked on all the same.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller must remember of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The broker that has the instance, should its class go.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub broker_name: String,
    /// The class's id at the broker, should the class go.
    #[serde(rename = "serviceID", default, skip_serializing_if = "String::is_empty")]
    pub service_id: String,
    /// The `updateRequests` that was last worked on.
    #[serde(default)]
    pub update_requests: i64,
    /// How many attempts of the operation have failed in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Since when the operation is polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling_since: Option<Time>,
    /// A call ended in a way that does not tell what the broker has now: the next update names everything, and what was to
    /// be made is deleted with the object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// The broker said that the instance cannot be used any more (`instance_usable`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unusable: bool,
    /// What the last update could not do, in a sentence: a condition says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// The version of what the instance runs on (`maintenance_info`), as far as it was told to the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_version: Option<String>,
    /// The version that the request under way names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_asked: Option<String>,
    /// The checksum of the parameters that were refused for good: other ones are tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
