//! `maintenance_info`: the version of what a plan's instances run on.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::wire;

/// A plan's maintenance version (SemVer 2.0), in the catalog, in a request and in a fetched instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceInfo {
    /// The version. A request's is compared as text; that it be a version is the catalog's business.
    pub version: String,
    /// What moving to it means for the user.
    #[serde(default, skip_serializing_if = "wire::no_text")]
    pub description: Option<String>,
}

impl MaintenanceInfo {
    /// That version without a description.
    pub fn version(version: impl Into<String>) -> Self {
        Self { version: version.into(), description: None }
    }
}

/// Reads it from a request or an answer: `null`, `{}` and an empty version are as good as absent, and only the version
/// counts.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MaintenanceInfo>, D::Error> {
    let Some(object) = Option::<Map<String, Value>>::deserialize(deserializer)? else { return Ok(None) };
    match object.get("version") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(version)) if version.is_empty() => Ok(None),
        Some(Value::String(version)) => Ok(Some(MaintenanceInfo {
            version: version.clone(),
            description: wire::text(&object, "description").map(str::to_owned),
        })),
        Some(_) => Err(de::Error::custom("something else, expected an object whose version is a string")),
    }
}
