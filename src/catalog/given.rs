//! What is stored of a request's parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::osb::Uid;

/// What the user gave and what the administrator forced: the content of every sealed `parameters` column. The effective
/// parameters follow from them, the plan and the revision ([`super::Revision::accept`]). They may be secret: no `Debug`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// What the user gave, in all requests together.
    pub given: Map<String, Value>,
    /// What the administrator's file forced when they were accepted.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub forced: Map<String, Value>,
    /// What those of the given values stand for that name an instance of the same owner, by parameter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resolved: BTreeMap<String, Resolved>,
    /// The value of the parameter that chooses the version, where the plan has such a one: whoever set it, only an upgrade
    /// changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Value>,
    /// The target that the user chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// An instance that a parameter names.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// What it provides: the parameter's value.
    pub value: Value,
    /// Its row.
    pub instance: Uid,
}

impl Given {
    /// The instances that parameters name, each once.
    pub fn refers_to(&self) -> Vec<Uid> {
        let instances: BTreeSet<Uid> = self.resolved.values().map(|resolved| resolved.instance).collect();
        instances.into_iter().collect()
    }

    /// What the user gave, references resolved: what [`super::Revision::accept`] takes.
    pub fn values(&self) -> Map<String, Value> {
        let mut values = self.given.clone();
        values.extend(self.resolved.iter().map(|(name, resolved)| (name.clone(), resolved.value.clone())));
        values
    }
}
