//! Which version an update leads to, where the plan has a parameter that says which one an instance is at.
//!
//! A platform orders an upgrade by `maintenance_info`: it leads to the plan's newest version, through all between. A user
//! orders one by the parameter: the next version, or none. Whoever orders neither stays where they are.

use serde_json::{Map, Value};

use super::order::Ordered;
use super::update::refusal;
use crate::catalog::{Given, Ladder, MaintenanceStep, Names, plain};
use crate::osb::{Error, UpdateRequest};
use crate::policy::Terms;
use crate::store::instance::Instance;

/// The version an instance is at: what was written down when it was made or last upgraded; for one from before its plan had
/// versions what its parameters or its row say.
pub(super) fn held(ladder: Ladder<'_>, stored: &Given, now: &Names, instance: &Instance) -> Option<Value> {
    let by_version = || {
        let version = instance.maintenance_version.as_deref()?;
        Some(ladder.of_version(version)?.value.clone())
    };
    let chosen = || ladder.chosen(&now.params).filter(|value| !value.is_null()).cloned();
    stored.version.clone().or_else(chosen).or_else(by_version)
}

/// Whether a request wants another version than an instance is at.
pub(super) fn is_asked(ladder: Ladder<'_>, held: Option<&Value>, request: &UpdateRequest) -> bool {
    let chosen = request.parameters.as_ref().and_then(|parameters| parameters.0.get(ladder.parameter()));
    request.maintenance_info.is_some() || chosen.is_some_and(|value| Some(value) != held)
}

/// What an update leads to.
pub(super) struct Upgrade<'a> {
    ladder: Ladder<'a>,
    held: Option<Value>,
    by_platform: bool,
    /// The parameter's value then.
    pub value: Value,
}

impl<'a> Upgrade<'a> {
    /// As the request wants it. Nothing is refused yet: the parameter's value may be none at all.
    pub fn wanted(
        ladder: Ladder<'a>,
        wanted: &Ordered,
        held: Option<Value>,
        request: &UpdateRequest,
        patch: &Map<String, Value>,
    ) -> Result<Self, Error> {
        let newest = ladder.newest().map(|step| step.value.clone()).unwrap_or_default();
        let default = || wanted.plan().ok().and_then(|plan| wanted.revision.default_of(plan, ladder.parameter()));
        let asked = match patch.get(ladder.parameter()) {
            Some(Value::Null) => default(),
            other => other.cloned(),
        };
        let by_platform = request.maintenance_info.is_some();
        let asked = asked.filter(|asked| Some(asked) != held.as_ref());
        if let (true, Some(asked), Some(_)) = (by_platform, &asked, &held)
            && *asked != newest
        {
            return Err(Error::bad_request(format!(
                "maintenance_info asks for {} and {} for {}: order one of the two.",
                plain(&newest),
                ladder.parameter(),
                plain(asked),
            )));
        }
        let value = match by_platform {
            true => newest,
            false => asked.or_else(|| held.clone()).or_else(default).unwrap_or_default(),
        };
        Ok(Self { ladder, held, by_platform, value })
    }

    /// The version's step, if the way there may be gone.
    pub fn allowed(&self, terms: &Terms) -> Result<&'a MaintenanceStep, Error> {
        let parameter = self.ladder.parameter();
        let shown = plain(&self.value);
        let Some(step) = self.ladder.step(&self.value) else {
            return Err(refusal(&match &self.held {
                Some(held) if *held == self.value => format!(
                    "This change would lead to a plan or revision that has no {parameter} {shown}; it has {}.",
                    self.ladder.values()
                ),
                _ => format!("{parameter} can be one of {}, not {shown}.", self.ladder.values()),
            }));
        };
        let Some(held) = self.held.as_ref().filter(|held| **held != self.value) else { return Ok(step) };
        if terms.forced.get(parameter).is_some_and(|forced| *forced != self.value) {
            return Err(Error::bad_request(format!("{parameter} is set by the administrator and cannot be chosen.")));
        }
        let from = plain(held);
        if self.ladder.step(held).is_none() {
            return Err(refusal(&format!(
                "There is no way from {parameter} {from} to {shown}: the plan's versions are {}.",
                self.ladder.values()
            )));
        }
        if self.ladder.is_older(&self.value, held) {
            return Err(refusal(&format!("{parameter} cannot go back from {from} to {shown}.")));
        }
        match self.ladder.after(held) {
            Some(next) if !self.by_platform && next.value != self.value => Err(refusal(&format!(
                "{parameter} can go one step at a time: from {from} to {} next.",
                plain(&next.value)
            ))),
            _ => Ok(step),
        }
    }
}
