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
}
