//! The versions of a plan where a parameter says which one an instance is at, and the way from one to the next.
//!
//! What this guarantees: an instance's version is a value of its own ([`Given::version`]), which neither a new default nor
//! a new revision changes; only an upgrade does, by one step at a time.

use serde_json::{Map, Value};

use super::document::{Maintenance, MaintenanceStep};
use super::given::Given;
use super::phrase::plain;
use super::plan::Plan;

/// The versions of a plan, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Ladder<'a> {
    parameter: &'a str,
    steps: &'a [MaintenanceStep],
}

impl Plan {
    /// Its versions, where a parameter chooses one.
    pub fn ladder(&self) -> Option<Ladder<'_>> {
        let Maintenance { parameter, steps, .. } = self.document().maintenance.as_ref()?;
        Some(Ladder { parameter: parameter.as_deref()?, steps })
    }

    /// The maintenance version of an instance with these effective parameters. With a ladder, none: its value is no version.
    pub fn maintenance_version(&self, params: &Value) -> Option<&str> {
        match self.ladder() {
            Some(ladder) => Some(ladder.step(ladder.chosen(params)?)?.version.as_str()),
            None => self.document().maintenance.as_ref().map(|maintenance| maintenance.version.as_str()),
        }
    }
}

impl<'a> Ladder<'a> {
    /// The parameter that chooses the version.
    pub fn parameter(&self) -> &'a str {
        self.parameter
    }

    /// The version that upgrades lead to.
    pub fn newest(&self) -> Option<&'a MaintenanceStep> {
        self.steps.last()
    }

    /// The version with that value of the parameter.
    pub fn step(&self, value: &Value) -> Option<&'a MaintenanceStep> {
        self.steps.iter().find(|step| step.value == *value)
    }

    /// The step of that version.
    pub fn of_version(&self, version: &str) -> Option<&'a MaintenanceStep> {
        self.steps.iter().find(|step| step.version == version)
    }

    /// What comes after the version with that value.
    pub fn after(&self, value: &Value) -> Option<&'a MaintenanceStep> {
        let place = self.steps.iter().position(|step| step.value == *value)?;
        self.steps.get(place + 1)
    }

    /// Whether one version is older than another. Those that are not on the ladder are not.
    pub fn is_older(&self, one: &Value, other: &Value) -> bool {
        let place = |value: &Value| self.steps.iter().position(|step| step.value == *value);
        matches!((place(one), place(other)), (Some(one), Some(other)) if one < other)
    }

    /// The value in effective parameters.
    pub fn chosen<'p>(&self, params: &'p Value) -> Option<&'p Value> {
        params.get(self.parameter)
    }

    /// The values, for a sentence.
    pub fn values(&self) -> String {
        let values: Vec<String> = self.steps.iter().map(|step| plain(&step.value)).collect();
        values.join(", ")
    }

    /// Puts what is stored of an instance at that version: what a fetch shows of the user's own choice follows.
    pub fn reach(&self, given: &mut Given, value: &Value) {
        given.version = Some(value.clone());
        if let Some(own) = given.given.get_mut(self.parameter) {
            own.clone_from(value);
        }
    }

    /// Puts the version into effective parameters.
    pub(super) fn pin(&self, params: &mut Map<String, Value>, version: Option<&Value>) {
        if let Some(version) = version {
            params.insert(self.parameter.to_owned(), version.clone());
        }
    }
}
