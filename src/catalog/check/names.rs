//! Every name in every expression resolves, in every plan, where the expression stands; and nothing secret stands where people
//! would see it.

use serde_json::{Map, Value};

use super::super::analysis::Path;
use super::super::parameters::{ParameterSet, unknown_parameter};
use super::super::scope::Scope;
use super::super::words::did_you_mean;
use super::{Place, Report, Sees, every_expression};

pub(super) fn check(report: &mut Report<'_>) {
    let mut found = Vec::new();
    every_expression(report.revision, &mut |pointer, expression, place| {
        for path in expression.names() {
            if let Err(message) = resolve(report, path, place) {
                found.push((pointer.to_owned(), message));
            }
        }
        if expression.secret && !place.secret {
            let message = format!("`{}` is secret, and this is shown to people", expression.source());
            found.push((pointer.to_owned(), message));
        }
    });
    found.into_iter().for_each(|(pointer, message)| report.at(&pointer, message));
}

const OF_INSTANCE: &[&str] = &["slug", "uid", "id", "name", "namespace", "organization", "space"];
const OF_BINDING: &[&str] = &["slug", "uid", "id", "app_guid"];
const OF_TARGET: &[&str] = &["name", "account", "region", "partition"];

fn resolve(report: &Report<'_>, path: &Path, place: Place) -> Result<(), String> {
    let revision = report.revision;
    let binding = place.scope == Scope::Binding;
    let rule = place.sees == Sees::Parameters;
    let root = path.root();
    match root {
        "params" => parameter(if binding { &revision.bind_parameters } else { &revision.parameters }, path, 1),
        "plan" => plan(report, path),
        "instance" if binding && path.get(1) == Some("params") => parameter(&revision.parameters, path, 2),
        "instance" | "target" | "binding" if rule => {
            let hint = if binding { " and `instance.params`" } else { "" };
            Err(format!("`{path}` is not known to a rule, which sees `params`, `plan`{hint}"))
        }
        "instance" => among(path, OF_INSTANCE),
        "binding" if binding => among(path, OF_BINDING),
        "binding" => Err("there is no binding here".to_owned()),
        "target" => among(path, OF_TARGET),
        "each" if place.each => each(path),
        "each" => Err("`each` is for the name and the properties of a resource with `for_each`".to_owned()),
        "credentials" if place.credentials => credential(report, path),
        "credentials" => Err("`credentials` is for `styles`".to_owned()),
        _ => output(report, path, place),
    }
}

/// A parameter, and what its schema says lies below it.
fn parameter(set: &ParameterSet, path: &Path, place: usize) -> Result<(), String> {
    let Some(name) = path.get(place) else { return Ok(()) };
    let Some(parameter) = set.declared.get(name) else { return Err(unknown_parameter(name, set)) };
    below(&parameter.schema, path, place + 1)
}

/// Only what a schema declares has a value everywhere: none, where it is not given.
fn below(schema: &Map<String, Value>, path: &Path, place: usize) -> Result<(), String> {
    let Some(word) = path.get(place) else { return Ok(()) };
    let properties = schema.get("properties").and_then(Value::as_object);
    match properties.and_then(|properties| properties.get(word)).and_then(Value::as_object) {
        Some(inner) => below(inner, path, place + 1),
        None => {
            let hint = did_you_mean(word, properties.into_iter().flatten().map(|(name, _)| name.as_str()));
            Err(format!("`{path}`: the schema declares no property `{word}`{hint}"))
        }
    }
}

fn plan(report: &Report<'_>, path: &Path) -> Result<(), String> {
    let Some(name) = path.get(1) else { return Ok(()) };
    let plans = report.revision.plans();
    let lacking: Vec<&str> =
        plans.iter().filter(|plan| plan.names().get(name).is_none()).map(|plan| plan.name()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    if lacking.len() == plans.len() {
        let known = plans.iter().filter_map(|plan| plan.names().as_object()).flatten().map(|(name, _)| name.as_str());
        return Err(format!("no plan fixes `{name}`{}", did_you_mean(name, known)));
    }
    let instead = match report.revision.parameters.declared.contains_key(name) {
        true => format!("; `params.{name}` has its value in every plan"),
        false => String::new(),
    };
    Err(format!("`plan.{name}` is not defined in every plan: {} fixes no `{name}`{instead}", lacking.join(", ")))
}

fn each(path: &Path) -> Result<(), String> {
    match path.get(1) {
        None | Some("key" | "value") => Ok(()),
        Some(other) => Err(format!("`each` has `key` and `value`, not `{other}`")),
    }
}

fn among(path: &Path, known: &[&str]) -> Result<(), String> {
    match path.get(1) {
        Some(word) if !known.contains(&word) => {
            Err(format!("`{}` has no `{word}`{}", path.root(), did_you_mean(word, known.iter().copied())))
        }
        _ => Ok(()),
    }
}

fn credential(report: &Report<'_>, path: &Path) -> Result<(), String> {
    let Some(section) = &report.revision.offering().binding else { return Ok(()) };
    match path.get(1) {
        Some(word) if !section.credentials.contains_key(word) && !section.credentials.contains_key("$merge") => {
            let hint = did_you_mean(word, section.credentials.keys().map(String::as_str));
            Err(format!("the canonical credentials have no `{word}`{hint}"))
        }
        _ => Ok(()),
    }
}

fn output(report: &Report<'_>, path: &Path, place: Place) -> Result<(), String> {
    let root = path.root();
    let resources = &report.revision.resources;
    let visible = |scope: Scope| scope == Scope::Instance || place.scope == Scope::Binding;
    let Some(resource) = resources.get(root).filter(|resource| visible(resource.scope)) else {
        if resources.contains_key(root) {
            return Err(format!("`{root}` is a resource of the binding; the instance was there first"));
        }
        let words = ["params", "plan", "instance", "target"].into_iter();
        let names = resources.iter().filter(|(_, r)| visible(r.scope)).map(|(name, _)| name.as_str());
        return Err(format!("there is no `{root}`{}", did_you_mean(root, words.chain(names))));
    };
    match place.sees {
        Sees::Outputs => {}
        Sees::ResourceNames => {
            return match (path.get(1), path.get(2), resource.for_each.is_some()) {
                (Some("name"), None, false) => Ok(()),
                _ => Err(format!("`{path}`: nothing is made yet; of a resource only `{root}.name` is known here")),
            };
        }
        Sees::Static | Sees::Parameters => {
            return Err(format!("`{path}`: outputs are not known here; static names only"));
        }
    }
    let word = path.get(if resource.for_each.is_some() { 2 } else { 1 });
    let Some(kind) = report.registry.kind(&resource.kind) else { return Ok(()) };
    match word {
        Some(word) if kind.output(word).is_none() => {
            let hint = did_you_mean(word, kind.outputs.iter().map(|output| output.name));
            Err(format!("{} has no output `{word}`{hint}", kind.name))
        }
        _ => Ok(()),
    }
}
