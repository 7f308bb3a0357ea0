//! Resources against their kinds: the kind exists, its properties are known, and user text that AWS would read as a pattern
//! has passed `literal`.

use serde_json::Value;

use super::super::analysis::Path;
use super::super::compiled::Compiled;
use super::super::document::{Parameter, Resource};
use super::super::located::join;
use super::super::scope::Scope;
use super::super::tree::{MERGE, Tree};
use super::super::words::did_you_mean;
use super::Report;
use super::parameters::is_word;

/// Marks a property of a kind in which AWS reads `*`, `?` and `${}`.
const PATTERN_MARK: &str = "x-iam-pattern";

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
                patterns(report, &kind.schema, compiled);
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

fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let own = schema.get("properties").and_then(|properties| properties.get(key));
    own.or_else(|| schema.get("additionalProperties").filter(|inner| inner.is_object()))
}

/// User text in a marked property must have passed `literal`.
fn patterns(report: &mut Report<'_>, schema: &Value, resource: &Compiled) {
    if !is_marked(schema) {
        return;
    }
    let mut found = Vec::new();
    literal(report, schema, &resource.properties, resource, &resource.pointer, &mut found);
    found.into_iter().for_each(|(pointer, message)| report.at(&pointer, message));
}

fn literal(
    report: &Report<'_>,
    schema: &Value,
    tree: &Tree,
    resource: &Compiled,
    pointer: &str,
    found: &mut Vec<(String, String)>,
) {
    match tree {
        Tree::Constant(_) => {}
        Tree::Whole(_) | Tree::Text(_) => {
            if !is_marked(schema) {
                return;
            }
            tree.expressions(pointer, &mut |at, expression| {
                if let Some(path) = expression.raw().iter().find(|path| is_user_text(report, resource, path)) {
                    let message =
                        format!("`{path}` is the user's text, and AWS reads patterns here; write `{path} | literal`");
                    found.push((at.to_owned(), message));
                }
            });
        }
        Tree::List(items) => {
            let inner = schema.get("items").unwrap_or(&Value::Null);
            for (index, item) in items.iter().enumerate() {
                literal(report, inner, item, resource, &join(pointer, &index.to_string()), found);
            }
        }
        Tree::Map { merge, entries } => {
            if let Some(merge) = merge {
                literal(report, schema, merge, resource, &join(pointer, MERGE), found);
            }
            for (key, tree) in entries {
                let inner = property(schema, key).unwrap_or(&Value::Null);
                literal(report, inner, tree, resource, &join(pointer, key), found);
            }
        }
    }
}

/// Whether a schema or anything inside it is marked.
fn is_marked(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.get(PATTERN_MARK) == Some(&Value::Bool(true)) || map.values().any(is_marked),
        Value::Array(items) => items.iter().any(is_marked),
        _ => false,
    }
}

/// Whether that name can hold text that a user wrote.
fn is_user_text(report: &Report<'_>, resource: &Compiled, path: &Path) -> bool {
    let revision = report.revision;
    let of_user = |word: Option<&str>, words: &[&str]| word.is_none_or(|word| words.contains(&word));
    match path.root() {
        "params" => {
            let set = if resource.scope == Scope::Binding { &revision.bind_parameters } else { &revision.parameters };
            path.get(1).and_then(|name| set.declared.get(name)).is_none_or(|p| is_text(p, path, 2))
        }
        "instance" if path.get(1) == Some("params") => {
            path.get(2).and_then(|name| revision.parameters.declared.get(name)).is_none_or(|p| is_text(p, path, 3))
        }
        "instance" => of_user(path.get(1), &["id", "name", "namespace", "organization", "space"]),
        "binding" => of_user(path.get(1), &["id", "app_guid"]),
        // An entry's key and value are the user's where the parameter is; its key is a text even then.
        "each" => resource
            .for_each
            .as_ref()
            .is_none_or(|tree| tree.names().iter().any(|path| matches!(path.root(), "params" | "instance"))),
        _ => false,
    }
}

/// Whether the parameter, or what lies below it on the path, can hold free text.
fn is_text(parameter: &Parameter, path: &Path, mut place: usize) -> bool {
    let mut schema = &parameter.schema;
    while let Some(word) = path.get(place) {
        match schema.get("properties").and_then(|p| p.get(word)).and_then(Value::as_object) {
            Some(inner) => schema = inner,
            None => return true,
        }
        place += 1;
    }
    if schema.contains_key("enum") {
        return false;
    }
    let free = |kind: &Value| !matches!(kind.as_str(), Some("integer" | "number" | "boolean" | "null"));
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(free),
        Some(kind) => free(kind),
        None => true,
    }
}
