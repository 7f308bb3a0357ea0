//! Bodies of the binding routes: bind (and rotate), fetch, unbind.

use serde::{Deserialize, Serialize};

use super::binding_parts::{BindResource, BindingMetadata, Endpoint, VolumeMount};
use super::decode::{Request, present, storable, storable_parameters};
use super::wire::{self, ForVersion};
use super::{ApiVersion, BindingId, Context, Credentials, Error, Parameters, PlanId, ServiceId};

/// The body of `PUT …/service_bindings/:binding_id`, for a new binding and for one that takes over from another.
///
/// After [`Request::check`] ids are not empty, and `service_id` and `plan_id` are there unless it is a rotation: the
/// specification's table for rotation lists the predecessor alone while its OpenAPI file asks for all three.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BindRequest {
    /// The offering. Mandatory but for a rotation, which inherits it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<ServiceId>,
    /// The instance's plan. Mandatory but for a rotation, which inherits it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// Where on the platform.
    #[serde(deserialize_with = "wire::nullable", skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Deprecated: the app; see [`Self::app`].
    #[serde(skip_serializing_if = "wire::no_text")]
    pub app_guid: Option<String>,
    /// What is bound.
    #[serde(deserialize_with = "wire::nullable", skip_serializing_if = "BindResource::is_empty")]
    pub bind_resource: BindResource,
    /// What the user set.
    #[serde(deserialize_with = "wire::nullable", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// The binding this one takes over from (2.17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predecessor_binding_id: Option<BindingId>,
}

impl BindRequest {
    /// The app the binding is for, from either place. Service Catalog puts the namespace's uid here.
    pub fn app(&self) -> Option<&str> {
        self.bind_resource.app_guid().or_else(|| self.app_guid.as_deref().filter(|guid| !guid.is_empty()))
    }
}

impl Request for BindRequest {
    fn check(&self) -> Result<(), Error> {
        let rotates = self.predecessor_binding_id.is_some();
        if let Some(predecessor) = &self.predecessor_binding_id {
            present("predecessor_binding_id", predecessor.as_str())?;
        }
        if !rotates || self.service_id.is_some() {
            present("service_id", self.service_id.as_ref().map_or("", ServiceId::as_str))?;
        }
        if !rotates || self.plan_id.is_some() {
            present("plan_id", self.plan_id.as_ref().map_or("", PlanId::as_str))?;
        }
        if let Some(app) = self.app_guid.as_ref().filter(|app| !app.is_empty()) {
            present("app_guid", app)?;
        }
        storable("context", &self.context.0)?;
        storable_parameters(&self.parameters.0)?;
        storable("bind_resource", &self.bind_resource.0)?;
        self.bind_resource.check()
    }
}

/// The answer to a bind. One that is still going on holds `operation` and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BindingResponse {
    /// Names the operation in polls.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub operation: Option<String>,
    /// What the binding hands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// How long it holds.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "BindingMetadata::is_empty")]
    pub metadata: BindingMetadata,
    /// Every host and port the app needs, or nothing.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_items")]
    pub endpoints: Vec<Endpoint>,
    /// Only with `requires: [syslog_drain]` in the catalog.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub syslog_drain_url: Option<String>,
    /// Only with `requires: [route_forwarding]` in the catalog.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub route_service_url: Option<String>,
    /// Only with `requires: [volume_mount]` in the catalog.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_items")]
    pub volume_mounts: Vec<VolumeMount>,
}

impl BindingResponse {
    /// The answer while the work goes on.
    pub fn in_progress(operation: impl Into<String>) -> Self {
        Self { operation: Some(operation.into()), ..Self::default() }
    }
}

impl ForVersion for BindingResponse {
    fn for_version(mut self, version: ApiVersion) -> Self {
        self.metadata = self.metadata.for_version(version);
        if !version.has_endpoints() {
            self.endpoints.clear();
        }
        self
    }
}

/// The answer to `GET …/service_bindings/:binding_id`: what the bind gave, and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FetchBindingResponse {
    /// What the bind gave.
    #[serde(flatten)]
    pub binding: BindingResponse,
    /// The parameters, without the secret ones.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
}

impl ForVersion for FetchBindingResponse {
    fn for_version(self, version: ApiVersion) -> Self {
        Self { binding: self.binding.for_version(version), ..self }
    }
}

/// The answer to an unbind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnbindResponse {
    /// Names the operation in polls.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub operation: Option<String>,
}

impl ForVersion for UnbindResponse {
    fn for_version(self, _: ApiVersion) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::osb::decode;

    fn bind(body: serde_json::Value) -> Result<BindRequest, Error> {
        decode(body.to_string().as_bytes())
    }

    #[test]
    fn a_rotation_comes_in_two_shapes() {
        assert!(bind(json!({"predecessor_binding_id": "b"})).is_ok());
        assert!(bind(json!({"predecessor_binding_id": "b", "service_id": "s", "plan_id": "p"})).is_ok());
        assert!(bind(json!({"predecessor_binding_id": "b", "service_id": ""})).is_err());
        assert!(bind(json!({"predecessor_binding_id": "", "service_id": "s", "plan_id": "p"})).is_err());
        assert!(bind(json!({"service_id": "s"})).is_err());
    }

    #[test]
    fn the_app_comes_from_either_place_and_extras_stay() {
        let ids = json!({"service_id": "s", "plan_id": "p", "bind_resource": null, "app_guid": "old"});
        assert_eq!(bind(ids.clone()).unwrap().app(), Some("old"));
        let mut new = ids;
        new["bind_resource"] = json!({"app_guid": "new", "credential_client_id": "c", "route": ""});
        let request = bind(new).unwrap();
        assert_eq!((request.app(), request.bind_resource.route()), (Some("new"), None));
        assert_eq!(request.bind_resource.0["credential_client_id"], "c");
    }

    #[test]
    fn newer_fields_are_left_out_for_older_platforms() {
        let body = json!({
            "credentials": {"url": "u"}, "endpoints": [{"host": "h", "ports": ["443"]}],
            "metadata": {"expires_at": "2030-01-01T00:00:00.0Z", "renew_before": "2029-01-01T00:00:00.0Z"},
        });
        let answer: BindingResponse = serde_json::from_value(body.clone()).unwrap();
        let at = |minor| serde_json::to_value(answer.clone().for_version(ApiVersion::v2(minor))).unwrap();
        assert_eq!(at(14), json!({"credentials": {"url": "u"}}));
        assert!(at(15).get("endpoints").is_some() && at(15).get("metadata").is_none());
        assert_eq!(at(16)["metadata"], json!({"expires_at": "2030-01-01T00:00:00.0Z"}));
        assert_eq!(at(17), body);
        assert_eq!(serde_json::to_value(BindingResponse::in_progress("o")).unwrap(), json!({"operation": "o"}));
    }

    #[test]
    fn debug_hides_what_a_binding_hands_out() {
        let answer: BindingResponse = serde_json::from_value(json!({"credentials": {"k": "hunter2"}})).unwrap();
        assert!(!format!("{answer:?}").contains("hunter2"));
    }
}
