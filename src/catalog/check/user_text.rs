//! User text is never code and lends nobody the broker's power: where AWS reads a pattern it has passed `literal`, and where
//! an existing thing is named it comes from a parameter with that `reference`.

use serde_json::Value;

use crate::driver::REFERENCE;

use super::super::analysis::Path;
use super::super::compiled::Compiled;
use super::super::document::Parameter;
use super::super::expression::Expression;
use super::super::revision::Revision;
use super::super::scope::Scope;
use super::super::tree::{MERGE, Tree};
use super::Report;
use super::resources::property;
use crate::yaml::join;

/// Marks a property of a kind in which AWS reads `*`, `?` and `${}`.
const PATTERN: &str = "x-iam-pattern";

pub(super) fn check(report: &mut Report<'_>, schema: &Value, resource: &Compiled) {
    let revision = report.revision;
    let mut found = Vec::new();
    leaves(schema, &resource.properties, &resource.pointer, &mut |schema, pointer, expression| {
        found.extend(pattern(revision, schema, resource, expression).map(|message| (pointer.to_owned(), message)));
        found.extend(reference(revision, schema, resource, expression).map(|message| (pointer.to_owned(), message)));
    });
    found.into_iter().for_each(|(pointer, message)| report.at(&pointer, message));
}

/// Every expression with the schema of what it gives.
fn leaves(schema: &Value, tree: &Tree, pointer: &str, visit: &mut impl FnMut(&Value, &str, &Expression)) {
    match tree {
        Tree::Constant(_) => {}
        Tree::Whole(_) | Tree::Text(_) => tree.expressions(pointer, &mut |at, e| visit(schema, at, e)),
        Tree::List(items) => {
            let inner = schema.get("items").unwrap_or(&Value::Null);
            for (index, item) in items.iter().enumerate() {
                leaves(inner, item, &join(pointer, &index.to_string()), visit);
            }
        }
        Tree::Map { merge, entries } => {
            if let Some(merge) = merge {
                leaves(schema, merge, &join(pointer, MERGE), visit);
            }
            for (key, tree) in entries {
                leaves(property(schema, key).unwrap_or(&Value::Null), tree, &join(pointer, key), visit);
            }
        }
    }
}

fn pattern(revision: &Revision, schema: &Value, resource: &Compiled, expression: &Expression) -> Option<String> {
    if marks(schema, PATTERN).is_empty() {
        return None;
    }
    let path = expression.raw().iter().find(|path| is_user_text(revision, resource, path))?;
    Some(format!("`{path}` is the user's text, and AWS reads patterns here; write `{path} | literal`"))
}

/// Escaping does not help here: the plain name is what must not be the user's.
fn reference(revision: &Revision, schema: &Value, resource: &Compiled, expression: &Expression) -> Option<String> {
    let sorts: Vec<&str> = marks(schema, REFERENCE).into_iter().filter_map(Value::as_str).collect();
    let sort = sorts.first()?;
    let allowed = |path: &Path| {
        let reference = parameter(revision, resource, path).and_then(|parameter| parameter.reference.as_deref());
        reference.is_some_and(|reference| sorts.contains(&reference))
    };
    let carried = expression.carried().iter();
    let path = carried.filter(|path| is_user_text(revision, resource, path)).find(|path| !allowed(path))?;
    Some(format!(
        "`{path}` is the user's text, and what it names would be used with the broker's power; only a parameter with \
         `reference: {sort}` may stand here"
    ))
}

/// The values of a mark in a schema and in everything inside it.
fn marks<'s>(schema: &'s Value, mark: &str) -> Vec<&'s Value> {
    let inside: Vec<&Value> = match schema {
        Value::Object(map) => map.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    schema.get(mark).into_iter().chain(inside.into_iter().flat_map(|schema| marks(schema, mark))).collect()
}

/// Whether that name can hold text that a user wrote. A parameter that nobody declared is another check's to tell.
fn is_user_text(revision: &Revision, resource: &Compiled, path: &Path) -> bool {
    let of_user = |word: Option<&str>, words: &[&str]| word.is_none_or(|word| words.contains(&word));
    match path.root() {
        "params" => match path.get(1) {
            Some(_) => parameter(revision, resource, path).is_some_and(|parameter| is_text(parameter, path, 2)),
            None => true,
        },
        "instance" if path.get(1) == Some("params") => match path.get(2) {
            Some(_) => parameter(revision, resource, path).is_some_and(|parameter| is_text(parameter, path, 3)),
            None => true,
        },
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

/// The parameter that is mentioned: of the binding in its own scope, else of the instance.
fn parameter<'r>(revision: &'r Revision, resource: &Compiled, path: &Path) -> Option<&'r Parameter> {
    let (set, name) = match (path.root(), resource.scope) {
        ("params", Scope::Binding) => (&revision.bind_parameters, path.get(1)?),
        ("params", Scope::Instance) => (&revision.parameters, path.get(1)?),
        ("instance", _) if path.get(1) == Some("params") => (&revision.parameters, path.get(2)?),
        _ => return None,
    };
    set.declared.get(name)
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
