//! What is stored of a request's parameters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the user gave and what the administrator forced: the content of every sealed `parameters` column. The effective
/// parameters follow from them, the plan and the revision ([`super::Revision::accept`]). They may be secret: no `Debug`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// What the user gave, in all requests together.
    pub given: Map<String, Value>,
    /// What the administrator's file forced when they were accepted.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub forced: Map<String, Value>,
    /// What those of the given values stand for that name an instance of the same owner.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub resolved: Map<String, Value>,
    /// The target that the user chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Given {
    /// What the user gave, references resolved: what [`super::Revision::accept`] takes.
    pub fn values(&self) -> Map<String, Value> {
        let mut values = self.given.clone();
        values.extend(self.resolved.iter().map(|(name, value)| (name.clone(), value.clone())));
        values
    }
}
