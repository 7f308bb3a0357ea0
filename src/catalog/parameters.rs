//! A user's parameters: accepted, completed, merged and compared. Everything is checked in the request, before anything is
//! made, and every refusal names its parameter and never its value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::compiled::CompiledRule;
use super::document::{Parameter, RuleVerb};
use super::given::Given;
use super::plan::Plan;
use super::revision::Revision;
use super::schema::{self, Verb};
use super::scope::View;
use super::validator::{Validator, Violation};
use super::words::did_you_mean;
use crate::yaml::dotted;

/// Why parameters are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The parameter, where it is one's fault.
    pub parameter: Option<String>,
    /// A sentence that names it and says what would be right.
    pub message: String,
}

impl Refusal {
    fn of(parameter: &str, message: String) -> Self {
        Self { parameter: Some(parameter.to_owned()), message }
    }
}

/// The declared parameters of an instance or of a binding.
#[derive(Debug)]
pub(super) struct ParameterSet {
    pub declared: BTreeMap<String, Parameter>,
    /// Checks values alone, whoever sets them.
    pub values: Validator,
    inner_defaults: Vec<String>,
    structured: Vec<String>,
}

impl ParameterSet {
    pub fn new(declared: BTreeMap<String, Parameter>, values: Validator) -> Self {
        let those = |wanted: fn(&Map<String, Value>) -> bool| {
            let matching = declared.iter().filter(|(_, parameter)| wanted(&parameter.schema));
            matching.map(|(name, _)| name.clone()).collect()
        };
        let (inner_defaults, structured) = (those(schema::has_inner_defaults), those(schema::has_properties));
        Self { inner_defaults, structured, declared, values }
    }

    /// Defaults, then what the user gave.
    pub fn complete(&self, defaults: &Map<String, Value>, given: &Map<String, Value>) -> Map<String, Value> {
        let mut effective = Map::new();
        for (name, parameter) in &self.declared {
            let default = || defaults.get(name).or_else(|| parameter.schema.get("default"));
            if let Some(value) = given.get(name).or_else(default) {
                effective.insert(name.clone(), value.clone());
            }
        }
        effective
    }

    fn fill_inner(&self, effective: &mut Map<String, Value>) {
        for name in &self.inner_defaults {
            if let (Some(value), Some(parameter)) = (effective.get_mut(name), self.declared.get(name)) {
                schema::fill_inner_defaults(&parameter.schema, value);
            }
        }
    }

    /// Every declared name, at any depth; `none` where there is no value.
    pub fn with_nones(&self, effective: &Value) -> Value {
        let mut all = effective.as_object().cloned().unwrap_or_default();
        for name in &self.structured {
            if let (Some(value), Some(parameter)) = (all.get_mut(name), self.declared.get(name)) {
                schema::fill_nones(&parameter.schema, value);
            }
        }
        for name in self.declared.keys() {
            if !all.contains_key(name) {
                all.insert(name.clone(), Value::Null);
            }
        }
        Value::Object(all)
    }
}

impl Revision {
    /// Checks and completes what a user set: for an update in total, as [`Revision::merge`] gives it. `forced` are the
    /// administrator's values; `instance` are the instance's effective parameters for a bind, else null. The result is the
    /// effective parameters: those that have a value.
    pub fn accept(
        &self,
        plan: &Plan,
        verb: Verb,
        given: &Map<String, Value>,
        forced: &Map<String, Value>,
        instance: &Value,
    ) -> Result<Value, Vec<Refusal>> {
        let bind = verb == Verb::Bind;
        let set = self.parameter_set(verb);
        let fixed = if bind { &Map::new() } else { &plan.document().fixed };

        let mut refusals = Vec::new();
        let mut checked = given.clone();
        checked.retain(|name, value| {
            if !set.declared.contains_key(name) {
                return true;
            }
            if let Some(forced) = forced.get(name) {
                if value != forced {
                    refusals
                        .push(Refusal::of(name, format!("{name} is set by the administrator and cannot be chosen.")));
                }
                return false;
            }
            if fixed.contains_key(name) {
                let plan = plan.name();
                refusals.push(Refusal::of(name, format!("{name} is fixed by the plan {plan} and cannot be set.")));
                return false;
            }
            true
        });
        let checked = Value::Object(checked);
        let validator = if bind { self.bind_validator() } else { plan.validator() };
        for violation in validator.violations(&checked) {
            let name = first_word(&violation.pointer);
            if !(violation.keyword == "required" && forced.contains_key(&name)) {
                refusals.push(refusal(name, &violation, ""));
            }
        }

        let declared = |(name, _): &(&String, &Value)| set.declared.contains_key(*name);
        if forced.keys().any(|name| set.declared.contains_key(name)) {
            let forced: Map<String, Value> =
                forced.iter().filter(declared).map(|(name, value)| (name.clone(), value.clone())).collect();
            for violation in set.values.violations(&Value::Object(forced)) {
                refusals.push(refusal(first_word(&violation.pointer), &violation, "the administrator's value of "));
            }
        }
        let effective = self.completed(plan, verb, checked.as_object().unwrap_or(given), forced);
        if refusals.is_empty() {
            self.apply_rules(plan, verb, &effective, instance, &mut refusals);
        }
        if refusals.is_empty() { Ok(effective) } else { Err(refusals) }
    }

    /// With defaults, what the plan fixes and what the administrator forces.
    fn completed(&self, plan: &Plan, verb: Verb, given: &Map<String, Value>, forced: &Map<String, Value>) -> Value {
        let set = self.parameter_set(verb);
        let nothing = Map::new();
        let (fixed, defaults) = match verb {
            Verb::Bind => (&nothing, &nothing),
            Verb::Create | Verb::Update => (&plan.document().fixed, &plan.document().defaults),
        };
        let mut effective = set.complete(defaults, given);
        let above = fixed.iter().chain(forced).filter(|(name, _)| set.declared.contains_key(*name));
        effective.extend(above.map(|(name, value)| (name.clone(), value.clone())));
        set.fill_inner(&mut effective);
        Value::Object(effective)
    }

    fn apply_rules(&self, plan: &Plan, verb: Verb, effective: &Value, instance: &Value, refusals: &mut Vec<Refusal>) {
        let rules = if verb == Verb::Bind { self.bind_rules() } else { self.rules() };
        let verb_of_rule = if verb == Verb::Update { RuleVerb::Update } else { RuleVerb::Create };
        let mut rules = rules.iter().filter(|rule| rule.applies(verb_of_rule)).peekable();
        if rules.peek().is_none() {
            return;
        }
        let mut view = View::default();
        view.add("params", self.parameter_set(verb).with_nones(effective));
        view.lend("plan", plan.names());
        if verb == Verb::Bind {
            let params = self.parameter_set(Verb::Create).with_nones(instance);
            view.add("instance", Value::Object(Map::from_iter([("params".to_owned(), params)])));
        }
        refusals.extend(rules.filter_map(|rule| broken(rule, &view)));
    }

    /// What of the user's parameters goes along to this revision and that plan. What the plan fixes, the administrator forces,
    /// or the file does not know any more is left behind: the user set it when it was theirs to set, and an update that does not
    /// mention it must not fail for it.
    pub fn carried(&self, to: &Plan, current: &Map<String, Value>, forced: &Map<String, Value>) -> Map<String, Value> {
        let stays = |name: &str| {
            self.parameters.declared.contains_key(name)
                && !to.document().fixed.contains_key(name)
                && !forced.contains_key(name)
        };
        current.iter().filter(|(name, _)| stays(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The effective parameters of an instance or a binding as it is stored. What the revision no longer knows is left
    /// behind, and nothing is checked again: an instance or a live binding must be able to follow to a revision that would
    /// refuse today what was accepted then.
    pub fn effective(&self, plan: &Plan, verb: Verb, stored: &Given) -> Value {
        let mut values = stored.values();
        match verb {
            Verb::Bind => values.retain(|name, _| self.bind_parameters.declared.contains_key(name)),
            Verb::Create | Verb::Update => values = self.carried(plan, &values, &stored.forced),
        }
        let mut effective = self.completed(plan, verb, &values, &stored.forced);
        if let (false, Some(ladder), Value::Object(params)) = (verb == Verb::Bind, plan.ladder(), &mut effective) {
            ladder.pin(params, stored.version.as_ref());
        }
        effective
    }

    /// The default of an instance's parameter in a plan.
    pub fn default_of(&self, plan: &Plan, parameter: &str) -> Option<Value> {
        let declared = || self.parameters.declared.get(parameter)?.schema.get("default");
        plan.document().defaults.get(parameter).or_else(declared).cloned()
    }

    /// The rules that a live binding would break if its instance had these parameters.
    pub fn bind_refusals(&self, plan: &Plan, stored: &Given, instance: &Value) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        self.apply_rules(plan, Verb::Bind, &self.effective(plan, Verb::Bind, stored), instance, &mut refusals);
        refusals
    }

    /// What the user set in total after an update of `current` (see [`Revision::carried`]): null takes a parameter back to its default.
    pub fn merge(&self, current: &Map<String, Value>, patch: &Map<String, Value>) -> Map<String, Value> {
        let mut merged = current.clone();
        for (name, value) in patch {
            match value {
                Value::Null => merged.remove(name),
                value => merged.insert(name.clone(), value.clone()),
            };
        }
        merged
    }

    /// The parameters without `updatable` whose effective value would change, by the user, by another plan, or because the
    /// administrator forces another value by now.
    pub fn immutable_changes(&self, from: &Plan, to: &Plan, old: &Value, new: &Value) -> Vec<Refusal> {
        let changed = |(name, parameter): &(&String, &Parameter)| {
            let (old, new) = (old.get(name.as_str()), new.get(name.as_str()));
            !parameter.updatable && old != new
        };
        let refuse = |(name, _): (&String, &Parameter)| {
            let by_plan = from.id() != to.id()
                && (from.document().fixed.contains_key(name) || to.document().fixed.contains_key(name));
            let message = if by_plan {
                format!("{name} cannot be changed after creation, and the plan {} has another value of it.", to.name())
            } else {
                format!("{name} cannot be changed after creation.")
            };
            Refusal::of(name, message)
        };
        self.parameter_set(Verb::Update).declared.iter().filter(changed).map(refuse).collect()
    }
}

/// The refusal that a broken rule gives, or none.
pub(super) fn broken(rule: &CompiledRule, view: &View<'_>) -> Option<Refusal> {
    let holds = rule.assert.evaluate(view).map(|result| result.value);
    if holds == Ok(Value::Bool(true)) {
        return None;
    }
    let message = match holds {
        Ok(Value::Bool(_)) => rule.message.evaluate(view).ok().and_then(|m| m.value.as_str().map(str::to_owned)),
        _ => None,
    };
    // A rule that cannot be evaluated holds nobody back by its own sentence, but it does not let anybody pass either.
    let message = message.unwrap_or_else(|| "A rule of this offering could not be evaluated.".to_owned());
    Some(Refusal { parameter: rule.parameter.clone(), message })
}

fn refusal(name: String, violation: &Violation, prefix: &str) -> Refusal {
    let path = dotted(&violation.pointer);
    match path.is_empty() {
        true => Refusal { parameter: None, message: format!("The parameters {}.", violation.message) },
        false => {
            let stop = if violation.message.ends_with('?') { "" } else { "." };
            Refusal::of(&name, format!("{prefix}{path} {}{stop}", violation.message))
        }
    }
}

fn first_word(pointer: &str) -> String {
    dotted(pointer.split_inclusive('/').take(2).collect::<String>().trim_end_matches('/'))
}

/// Said about a word that should be a declared parameter.
pub(super) fn unknown_parameter(name: &str, set: &ParameterSet) -> String {
    format!("there is no parameter `{name}`{}", did_you_mean(name, set.declared.keys().map(String::as_str)))
}
