//! Resources against their kinds: the kind exists and its properties are known.

use serde_json::Value;

use super::super::document::Resource;
use super::super::scope::Scope;
use super::super::tree::MERGE;
use super::super::words::did_you_mean;
use super::parameters::is_word;
use super::{Report, user_text};
use crate::yaml::join;

/// What expressions know already.
const RESERVED: &[&str] =
    &["params", "plan", "instance", "binding", "target", "each", "credentials", "dict", "range", "loop", "self"];

pub(super) fn check(report: &mut Report<'_>) {
    let revision = report.revision;
    let offering = revision.offering();
    let of_binding = offering.binding.iter().flat_map(|binding| &binding.resources);
    let all = offering.resources.iter().map(|r| (Scope::Instance, r)).chain(of_binding.map(|r| (Scope::Binding, r)));
    for (scope, (name, resource)) in all {
        let Some(compiled) = revision.resources.get(name).filter(|compiled| compiled.scope == scope) else { continue };
        let pointer = compiled.pointer.as_str();
        if !is_word(name) || RESERVED.contains(&name.as_str()) {
            report.at_key(pointer, "must be a word of letters, digits and `_` that expressions do not know already");
        }
        for (index, need) in resource.depends_on.iter().enumerate() {
            if revision.resources.get(need).is_none_or(|other| other.scope != scope) {
                let known = revision.resources.iter().filter(|(_, r)| r.scope == scope).map(|(name, _)| name.as_str());
                let hint = did_you_mean(need, known);
                report
                    .at(&format!("{pointer}/depends_on/{index}"), format!("there is no resource `{need}` here{hint}"));
            }
        }
        if resource.for_each.is_some() && !compiled.name.names().iter().any(|path| path.root() == "each") {
            report
                .at(&format!("{pointer}/name"), "with `for_each` the name must carry `each.key`, or all have the same");
        }
        let kinds = report.registry;
        match kinds.kind(&resource.kind) {
            None => {
                let hint = did_you_mean(&resource.kind, kinds.kinds().map(|kind| kind.name));
                report.at(&format!("{pointer}/kind"), format!("there is no kind `{}`{hint}", resource.kind));
            }
            Some(kind) => {
                known_properties(report, &kind.schema, resource, pointer);
                user_text::check(report, &kind.schema, compiled);
            }
        }
    }
}

fn known_properties(report: &mut Report<'_>, schema: &Value, resource: &Resource, pointer: &str) {
    let properties = Value::Object(resource.properties.clone());
    known(report, schema, &properties, pointer, &resource.kind);
}

/// Reports keys that a closed schema does not have, however deep they stand.
fn known(report: &mut Report<'_>, schema: &Value, value: &Value, pointer: &str, kind: &str) {
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
            for (key, value) in map.iter().filter(|(key, _)| *key != MERGE) {
                let at = join(pointer, key);
                match property(schema, key) {
                    Some(inner) => known(report, inner, value, &at, kind),
                    None if closed && schema.get("patternProperties").is_none() => {
                        let known = properties.into_iter().flatten().map(|(name, _)| name.as_str());
                        let hint = did_you_mean(key, known);
                        report.at_key(&at, format!("{kind} has no property `{key}` here{hint}"));
                    }
                    None => {}
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else { return };
            items
                .iter()
                .enumerate()
                .for_each(|(i, item)| known(report, inner, item, &join(pointer, &i.to_string()), kind));
        }
        _ => {}
    }
}

pub(super) fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let own = schema.get("properties").and_then(|properties| properties.get(key));
    own.or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()))
}
