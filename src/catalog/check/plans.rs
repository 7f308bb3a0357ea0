//! Every plan is tried: with its defaults, and with each parameter set to each of its values in turn. Names must fit their
//! kinds, desired state must satisfy its schema, and nothing may be undefined.

use serde_json::{Map, Value};

use super::super::parameters::ParameterSet;
use super::super::schema::Verb;
use super::Report;
use super::samples;
use super::trial::Trial;

pub(super) fn check(report: &mut Report<'_>) {
    let revision = report.revision;
    let Some(first) = revision.plans().first() else { return };
    let mut trial = Trial::new(revision, report.registry, first);
    for (index, plan) in revision.plans().iter().enumerate() {
        trial.plan = plan;
        let set = &revision.parameters;
        let fixed = &plan.document().fixed;
        let (given, mut guessed) = samples::required(set, fixed);
        let nothing = Map::new();
        let accept = |given: &Map<String, Value>| revision.accept(plan, Verb::Create, given, &nothing, &Value::Null);
        let base = match accept(&given) {
            Ok(base) => base,
            Err(refusals) if given.is_empty() => {
                for refusal in refusals {
                    let message = format!("the plan's own values and defaults are refused: {}", refusal.message);
                    report.at(&format!("/plans/{index}"), message);
                }
                continue;
            }
            // What is required could only be guessed, so a rule may refuse the guess.
            Err(_) => {
                guessed.extend(given.keys().cloned());
                complete(set, &plan.document().defaults, &given, fixed)
            }
        };
        trial.instance(&base, &guessed, None);
        for (name, value) in variations(set, fixed) {
            if let Some(params) = vary(set, fixed, &given, (name, value), &accept) {
                trial.instance(&params, &guessed, Some(name));
            }
        }
        trial.bindings(&base, &guessed);
    }
    for ((pointer, message), plan) in trial.found {
        report.at(&pointer, format!("in the plan {plan}: {message}"));
    }
}

fn complete(
    set: &ParameterSet,
    defaults: &Map<String, Value>,
    given: &Map<String, Value>,
    fixed: &Map<String, Value>,
) -> Value {
    let mut all = set.complete(defaults, given);
    let of_set = fixed.iter().filter(|(name, _)| set.declared.contains_key(*name));
    all.extend(of_set.map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(all)
}

/// Every parameter that a user may set, with every value to try it with.
pub(super) fn variations<'s>(
    set: &'s ParameterSet,
    fixed: &'s Map<String, Value>,
) -> impl Iterator<Item = (&'s str, Value)> {
    let settable = set.declared.iter().filter(|(name, _)| !fixed.contains_key(*name));
    settable.flat_map(|(name, parameter)| {
        samples::candidates(set, name, parameter).into_iter().map(|value| (name.as_str(), value))
    })
}

/// The effective parameters with one of them set. A rule may want another one with it: the first that helps will do.
pub(super) fn vary<E, F: Fn(&Map<String, Value>) -> Result<Value, E>>(
    set: &ParameterSet,
    fixed: &Map<String, Value>,
    given: &Map<String, Value>,
    (name, value): (&str, Value),
    accept: &F,
) -> Option<Value> {
    let mut given = given.clone();
    given.insert(name.to_owned(), value);
    accept(&given).ok().or_else(|| {
        variations(set, fixed).filter(|(other, _)| *other != name).find_map(|(other, value)| {
            let mut given = given.clone();
            given.insert(other.to_owned(), value);
            accept(&given).ok()
        })
    })
}
