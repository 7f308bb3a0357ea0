//! The body of `GET /v2/catalog`: services. Plans are in the file next to this one.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::wire::{self, ForVersion};
use super::{ApiVersion, Plan, ServiceId};

/// All that can be ordered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// One entry per offering; may be empty.
    #[serde(default, deserialize_with = "wire::nullable")]
    pub services: Vec<Service>,
}

impl ForVersion for Catalog {
    fn for_version(self, version: ApiVersion) -> Self {
        Self { services: self.services.into_iter().map(|service| service.for_version(version)).collect() }
    }
}

/// One offering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Unique in the catalog; letters, digits, dots and hyphens.
    pub name: String,
    /// Unique in the world, and the same for ever.
    pub id: ServiceId,
    /// One line.
    pub description: String,
    /// For searching.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_items")]
    pub tags: Vec<String>,
    /// `syslog_drain`, `route_forwarding`, `volume_mount`.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_items")]
    pub requires: Vec<String>,
    /// Whether instances can be bound; a plan may say otherwise.
    #[serde(default, deserialize_with = "wire::nullable")]
    pub bindable: bool,
    /// `GET` of an instance works (2.14).
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::is_off")]
    pub instances_retrievable: bool,
    /// `GET` of a binding works (2.14).
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::is_off")]
    pub bindings_retrievable: bool,
    /// An update may change the context alone (2.15).
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::is_off")]
    pub allow_context_updates: bool,
    /// For people; `displayName` and the other names of the OSB profile.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_entries")]
    pub metadata: Map<String, Value>,
    /// Single sign-on to dashboards, on Cloud Foundry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard_client: Option<DashboardClient>,
    /// Whether an instance can change to another plan; a plan may say otherwise. The spelling is the protocol's. Always
    /// written: Service Catalog reads this one and no plan's.
    #[serde(default, deserialize_with = "wire::nullable")]
    pub plan_updateable: bool,
    /// At least one.
    #[serde(default, deserialize_with = "wire::nullable")]
    pub plans: Vec<Plan>,
}

impl ForVersion for Service {
    fn for_version(mut self, version: ApiVersion) -> Self {
        self.instances_retrievable &= version.has_retrievable();
        self.bindings_retrievable &= version.has_retrievable();
        self.allow_context_updates &= version.has_maintenance();
        self.plans = self.plans.into_iter().map(|plan| plan.for_version(version)).collect();
        self
    }
}

/// The OAuth client of a dashboard (a Cloud Foundry extension).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashboardClient {
    /// The client's id.
    pub id: String,
    /// The client's secret.
    pub secret: String,
    /// Where the sign-on leads back to.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub redirect_uri: Option<String>,
}

impl fmt::Debug for DashboardClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DashboardClient").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_version_gets_what_it_knows() {
        let whole = json!({"services": [{
            "name": "s", "id": "1", "description": "d", "bindable": true, "plan_updateable": true,
            "instances_retrievable": true, "bindings_retrievable": true, "allow_context_updates": true,
            "plans": [{
                "id": "2", "name": "p", "description": "d", "free": true, "bindable": false, "binding_rotatable": true,
                "plan_updateable": false, "maximum_polling_duration": 60,
                "maintenance_info": {"version": "1.0.0+a", "description": "none"},
                "schemas": {"service_instance": {"create": {"parameters": {"type": "object"}}}},
            }],
        }]});
        let catalog: Catalog = serde_json::from_value(whole.clone()).unwrap();
        let at = |minor| serde_json::to_value(catalog.clone().for_version(ApiVersion::v2(minor))).unwrap();
        assert_eq!(at(17), whole);
        assert_eq!(at(16)["services"][0]["plans"][0].get("binding_rotatable"), None);
        let service = json!({
            "name": "s", "id": "1", "description": "d", "bindable": true, "plan_updateable": true,
            "plans": [{"id": "2", "name": "p", "description": "d", "free": true, "bindable": false}],
        });
        assert_eq!(at(12), json!({"services": [service]}));
    }

    #[test]
    fn nulls_of_other_brokers_are_read() {
        let catalog: Catalog = serde_json::from_value(json!({"services": [{
            "name": "s", "id": "1", "description": "d", "bindable": true, "tags": null, "metadata": null,
            "plans": [{"id": "2", "name": "p", "description": "d", "metadata": null, "schemas": null}],
        }]}))
        .unwrap();
        assert!(catalog.services[0].plans[0].free, "free is the default");
    }
}
