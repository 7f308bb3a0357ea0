//! Plans in the catalog, and the schemas of their parameters.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::wire::{self, ForVersion};
use super::{ApiVersion, MaintenanceInfo, PlanId, maintenance};

/// One plan of an offering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Unique in the world, and the same for ever.
    pub id: PlanId,
    /// Unique in its offering.
    pub name: String,
    /// One line.
    pub description: String,
    /// For people; `bullets`, `costs`, `displayName`.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_entries")]
    pub metadata: Map<String, Value>,
    /// Whether it costs nothing. The default is true; always written, since Service Catalog takes absence for false.
    #[serde(default = "yes", deserialize_with = "true_if_null")]
    pub free: bool,
    /// Overrides the offering's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindable: Option<bool>,
    /// A binding can be rotated (2.17).
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::is_off")]
    pub binding_rotatable: bool,
    /// Overrides the offering's (2.15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_updateable: Option<bool>,
    /// What the parameters may be (2.13).
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "Schemas::is_empty")]
    pub schemas: Schemas,
    /// For how many seconds a platform polls an operation before it gives up (2.15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_polling_duration: Option<u64>,
    /// What new instances run on (2.15).
    #[serde(default, deserialize_with = "maintenance::optional", skip_serializing_if = "Option::is_none")]
    pub maintenance_info: Option<MaintenanceInfo>,
}

fn yes() -> bool {
    true
}

fn true_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<bool>::deserialize(deserializer)?.unwrap_or(true))
}

impl Plan {
    /// A free plan with nothing optional set.
    pub fn new(id: PlanId, name: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            description: description.into(),
            metadata: Map::new(),
            free: true,
            bindable: None,
            binding_rotatable: false,
            plan_updateable: None,
            schemas: Schemas::default(),
            maximum_polling_duration: None,
            maintenance_info: None,
        }
    }
}

impl ForVersion for Plan {
    fn for_version(mut self, version: ApiVersion) -> Self {
        if !version.has_schemas() {
            self.schemas = Schemas::default();
        }
        if !version.has_maintenance() {
            (self.plan_updateable, self.maximum_polling_duration, self.maintenance_info) = (None, None, None);
        }
        self.binding_rotatable &= version.has_rotation();
        self
    }
}

/// The schemas of a plan's parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schemas {
    /// Of an instance.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "InstanceSchemas::is_empty")]
    pub service_instance: InstanceSchemas,
    /// Of a binding; only where the plan can be bound.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "BindingSchemas::is_empty")]
    pub service_binding: BindingSchemas,
}

impl Schemas {
    fn is_empty(&self) -> bool {
        self.service_instance.is_empty() && self.service_binding.is_empty()
    }
}

/// The schemas of an instance's parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceSchemas {
    /// For a provision.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "InputParameters::is_empty")]
    pub create: InputParameters,
    /// For an update.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "InputParameters::is_empty")]
    pub update: InputParameters,
}

impl InstanceSchemas {
    fn is_empty(&self) -> bool {
        self.create.is_empty() && self.update.is_empty()
    }
}

/// The schemas of a binding's parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BindingSchemas {
    /// For a bind.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "InputParameters::is_empty")]
    pub create: InputParameters,
}

impl BindingSchemas {
    fn is_empty(&self) -> bool {
        self.create.is_empty()
    }
}

/// One schema: draft-04, with its `$schema`, without external references, at most 64 kB.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputParameters {
    /// The schema of the whole `parameters` object.
    #[serde(default, deserialize_with = "wire::nullable", skip_serializing_if = "wire::no_entries")]
    pub parameters: Map<String, Value>,
}

impl InputParameters {
    fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }
}
