//! Bodies of the instance routes: provision, fetch, update, deprovision.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decode::{Request, present, storable, storable_parameters};
use super::wire::{self, ForVersion};
use super::{ApiVersion, Context, Error, MaintenanceInfo, Parameters, PlanId, ServiceId, maintenance};

/// The body of `PUT /v2/service_instances/:instance_id`. After [`Request::check`] its four texts are not empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvisionRequest {
    /// The offering. Mandatory.
    #[serde(deserialize_with = "wire::nullable")]
    pub service_id: ServiceId,
    /// The plan. Mandatory.
    #[serde(deserialize_with = "wire::nullable")]
    pub plan_id: PlanId,
    /// Where on the platform.
    #[serde(deserialize_with = "wire::nullable", skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Deprecated, yet mandatory and part of the instance's identity. Service Catalog puts the cluster here.
    #[serde(deserialize_with = "wire::nullable")]
    pub organization_guid: String,
    /// Deprecated, yet mandatory and part of the instance's identity. Service Catalog puts the namespace's uid here.
    #[serde(deserialize_with = "wire::nullable")]
    pub space_guid: String,
    /// What the user set.
    #[serde(deserialize_with = "wire::nullable", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// The maintenance version the platform saw in the catalog.
    #[serde(deserialize_with = "maintenance::optional", skip_serializing_if = "Option::is_none")]
    pub maintenance_info: Option<MaintenanceInfo>,
}

impl Request for ProvisionRequest {
    fn check(&self) -> Result<(), Error> {
        present("service_id", self.service_id.as_str())?;
        present("plan_id", self.plan_id.as_str())?;
        present("organization_guid", &self.organization_guid)?;
        present("space_guid", &self.space_guid)?;
        storable("context", &self.context.0)?;
        storable_parameters(&self.parameters.0)
    }
}

/// The body of `PATCH /v2/service_instances/:instance_id`. After [`Request::check`] its `service_id` is not empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateRequest {
    /// The offering. Mandatory.
    #[serde(deserialize_with = "wire::nullable")]
    pub service_id: ServiceId,
    /// The plan wanted; absent: unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// The new surroundings.
    #[serde(deserialize_with = "wire::nullable", skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// What the user changes; absent: nothing. An empty object is sent as one: to a broker that replaces all of them, it says
    /// that there are none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// What the platform believes was before. Informative; a broker knows better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_values: Option<PreviousValues>,
    /// The maintenance version wanted.
    #[serde(deserialize_with = "maintenance::optional", skip_serializing_if = "Option::is_none")]
    pub maintenance_info: Option<MaintenanceInfo>,
}

impl Request for UpdateRequest {
    fn check(&self) -> Result<(), Error> {
        present("service_id", self.service_id.as_str())?;
        match &self.plan_id {
            Some(plan) if plan.is_empty() => return Err(Error::bad_request("plan_id is empty")),
            Some(plan) => present("plan_id", plan.as_str())?,
            None => {}
        }
        storable("context", &self.context.0)?;
        self.parameters.as_ref().map_or(Ok(()), |parameters| storable_parameters(&parameters.0))
    }
}

/// `previous_values` of an update: an object whose entries are read one by one, since it decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PreviousValues(pub Map<String, Value>);

impl PreviousValues {
    /// The plan the platform believes the instance has.
    pub fn plan_id(&self) -> Option<PlanId> {
        wire::text(&self.0, "plan_id").map(PlanId::from)
    }

    /// The maintenance version the platform believes the instance has.
    pub fn maintenance_version(&self) -> Option<&str> {
        wire::text(self.0.get("maintenance_info")?.as_object()?, "version")
    }
}

/// The answer to a provision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProvisionResponse {
    /// Where a person can look at the instance. Given in the first answer or never.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub dashboard_url: Option<String>,
    /// Names the operation in polls. At most 10,000 characters.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub operation: Option<String>,
    /// Labels and attributes.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "InstanceMetadata::is_empty")]
    pub metadata: InstanceMetadata,
}

impl ForVersion for ProvisionResponse {
    fn for_version(self, version: ApiVersion) -> Self {
        Self { metadata: self.metadata.for_version(version), ..self }
    }
}

/// The answer to an update: the same fields with the same meaning.
pub type UpdateResponse = ProvisionResponse;

/// The answer to a deprovision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeprovisionResponse {
    /// Names the operation in polls.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub operation: Option<String>,
}

impl ForVersion for DeprovisionResponse {
    fn for_version(self, _: ApiVersion) -> Self {
        self
    }
}

/// The answer to `GET /v2/service_instances/:instance_id`. Every field is optional to a client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FetchInstanceResponse {
    /// The offering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<ServiceId>,
    /// The plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// Where a person can look at the instance.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub dashboard_url: Option<String>,
    /// The parameters, without the secret ones.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// The maintenance version the instance has.
    #[serde(default, deserialize_with = "maintenance::optional", skip_serializing_if = "Option::is_none")]
    pub maintenance_info: Option<MaintenanceInfo>,
    /// Labels and attributes.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "InstanceMetadata::is_empty")]
    pub metadata: InstanceMetadata,
}

impl ForVersion for FetchInstanceResponse {
    fn for_version(mut self, version: ApiVersion) -> Self {
        if !version.has_maintenance() {
            self.maintenance_info = None;
        }
        self.metadata = self.metadata.for_version(version);
        self
    }
}

/// What a broker tells about an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceMetadata {
    /// For people: a platform replaces its whole set by this one.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_entries")]
    pub labels: Map<String, Value>,
    /// For platforms, which may act on them (2.17).
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_entries")]
    pub attributes: Map<String, Value>,
}

impl InstanceMetadata {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.attributes.is_empty()
    }
}

impl ForVersion for InstanceMetadata {
    fn for_version(mut self, version: ApiVersion) -> Self {
        if !version.has_metadata() {
            self.labels.clear();
        }
        if !version.has_attributes() {
            self.attributes.clear();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::osb::decode;

    #[test]
    fn what_service_catalog_sends_is_read_and_written_back() {
        let body = json!({
            "service_id": "s", "plan_id": "p", "organization_guid": "cluster", "space_guid": "namespace",
            "parameters": {"big": 9_007_199_254_740_993_i64, "share": 0.5},
            "context": {"platform": "kubernetes", "namespace": "team", "clusterid": "c", "instance_name": "i"},
        });
        let request: ProvisionRequest = decode(body.to_string().as_bytes()).unwrap();
        assert_eq!(request.context.namespace(), Some("team"));
        assert_eq!(serde_json::to_value(&request).unwrap(), body);
    }

    #[test]
    fn null_empty_and_unknown_fields_count_as_not_sent() {
        let body = r#"{"service_id":"s","plan_id":null,"context":null,"parameters":null,"novel":{"a":1},
            "maintenance_info":{"version":"","public":[1]},"previous_values":{"plan_id":7,"novel":null}}"#;
        let request: UpdateRequest = decode(body.as_bytes()).unwrap();
        assert_eq!((&request.plan_id, &request.maintenance_info), (&None, &None));
        assert_eq!(request.previous_values.unwrap().plan_id(), None);
    }

    #[test]
    fn the_version_of_maintenance_is_all_that_counts() {
        for (sent, version) in [("null", None), ("{}", None), (r#"{"version":"Invalid","x":1}"#, Some("Invalid"))] {
            let body = format!(r#"{{"service_id":"s","maintenance_info":{sent}}}"#);
            let request: UpdateRequest = decode(body.as_bytes()).unwrap();
            assert_eq!(request.maintenance_info.map(|info| info.version).as_deref(), version);
        }
    }

    #[test]
    fn answers_hold_neither_null_nor_empty_and_no_field_from_the_future() {
        assert_eq!(serde_json::to_string(&ProvisionResponse::default()).unwrap(), "{}");
        let empty = ProvisionResponse { dashboard_url: Some(String::new()), ..Default::default() };
        assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");

        let fetched: FetchInstanceResponse = serde_json::from_value(json!({
            "service_id": "s", "maintenance_info": {"version": "1.0.0"},
            "metadata": {"labels": {"a": "b"}, "attributes": {"c": "d"}},
        }))
        .unwrap();
        let at = |minor| serde_json::to_value(fetched.clone().for_version(ApiVersion::v2(minor))).unwrap();
        assert_eq!(at(14), json!({"service_id": "s"}));
        assert_eq!(at(15), json!({"service_id": "s", "maintenance_info": {"version": "1.0.0"}}));
        assert_eq!(at(16)["metadata"], json!({"labels": {"a": "b"}}));
        assert_eq!(at(17)["metadata"]["attributes"], json!({"c": "d"}));
    }
}
