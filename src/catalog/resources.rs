//! Which resources an owner has: `for_each` expanded, `when` applied, names evaluated, in the order of dependencies. Static
//! names only, so the same parameters give the same list for ever.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::compiled::Compiled;
use super::evaluate::EvalError;
use super::revision::Revision;
use super::scope::{Names, Scope, View};
use super::tree::Tree;

/// One resource that an owner has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its key among the owner's rows: `queue`, `node_groups["blue"]`.
    pub key: String,
    /// The kind.
    pub kind: String,
    /// Its name in AWS.
    pub name: String,
    /// The keys of the rows that must be ready first.
    pub depends_on: Vec<String>,
    /// One at a time among the rows with the same word.
    pub serial: Option<String>,
    /// On deprovision it stays in AWS and is forgotten.
    pub retain: bool,
}

/// The row key of an entry.
pub(super) fn row_key(resource: &str, entry: Option<&str>) -> String {
    match entry {
        None => resource.to_owned(),
        Some(entry) => format!("{resource}[{}]", Value::from(entry)),
    }
}

/// The resource and the entry that a row key names.
pub(super) fn split_key(key: &str) -> Option<(&str, Option<String>)> {
    match key.split_once('[') {
        None => Some((key, None)),
        Some((resource, entry)) => {
            serde_json::from_str(entry.strip_suffix(']')?).ok().map(|entry| (resource, Some(entry)))
        }
    }
}

impl Revision {
    /// The resources of an instance or of a binding, each after those it depends on.
    pub fn resources(&self, scope: Scope, names: &Names) -> Result<Vec<Spec>, EvalError> {
        let view = self.static_view(scope, names);
        let mut keys: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut specs = Vec::new();
        for name in &self.order {
            let Some(resource) = self.resources.get(name).filter(|resource| resource.scope == scope) else { continue };
            if !is_wanted(resource, &view)? {
                continue;
            }
            let depends_on: Vec<String> =
                resource.needs.iter().filter_map(|need| keys.get(need.as_str())).flatten().cloned().collect();
            for (entry, value) in entries(resource, &view)? {
                let mut view = self.static_view(scope, names);
                if let (Some(key), Some(value)) = (&entry, value) {
                    view.add("each", json!({"key": key, "value": value}));
                }
                let key = row_key(name, entry.as_deref());
                let row_name = resource.row_name(&view)?;
                let retain = match &resource.retain {
                    Some(tree) => bool_of(tree, &view, resource, "retain")?,
                    None => false,
                };
                keys.entry(name).or_default().push(key.clone());
                specs.push(Spec {
                    key,
                    kind: resource.kind.clone(),
                    name: row_name,
                    depends_on: depends_on.clone(),
                    serial: resource.serial.clone(),
                    retain,
                });
            }
        }
        Ok(specs)
    }
}

impl Compiled {
    /// The evaluated name, which AWS will accept.
    pub fn row_name(&self, view: &View<'_>) -> Result<String, EvalError> {
        let at = |message: String| EvalError::at(&self.pointer, "name", message);
        let name = self.name.evaluate(view).map_err(|(_, message)| at(message))?.value;
        let name = name.as_str().ok_or_else(|| at("the name is not a text".to_owned()))?;
        let naming = self.naming;
        let longest = naming.max_length;
        if name.chars().count() > longest {
            return Err(at(format!(
                "the name {name} is longer than the {longest} characters that {} allows",
                self.kind
            )));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || naming.extra.contains(c);
        match name.chars().find(|c| !allowed(*c) && longest != usize::MAX) {
            None => Ok(name.to_owned()),
            Some(c) => Err(at(format!("the name {name} holds {c:?}, which {} does not allow", self.kind))),
        }
    }
}

/// Whether the resource is made at all.
pub(super) fn is_wanted(resource: &Compiled, view: &View<'_>) -> Result<bool, EvalError> {
    resource.when.as_ref().map_or(Ok(true), |tree| bool_of(tree, view, resource, "when"))
}

fn bool_of(tree: &Tree, view: &View<'_>, resource: &Compiled, key: &str) -> Result<bool, EvalError> {
    match tree.evaluate(view) {
        Ok(result) => result.value.as_bool().ok_or_else(|| {
            EvalError::at(&resource.pointer, key, format!("`{key}` must be true or false; write a comparison"))
        }),
        Err((_, message)) => Err(EvalError::at(&resource.pointer, key, message)),
    }
}

/// An entry's key and value; neither where there is no `for_each`.
pub(super) type Entry = (Option<String>, Option<Value>);

/// The entries of a resource: one without a key, or one for each entry of its `for_each`.
pub(super) fn entries(resource: &Compiled, view: &View<'_>) -> Result<Vec<Entry>, EvalError> {
    let Some(tree) = &resource.for_each else { return Ok(vec![(None, None)]) };
    let at = |message: &str| EvalError::at(&resource.pointer, "for_each", message.to_owned());
    let value = match tree {
        Tree::Whole(expression) => expression.evaluate_with_nulls(view).map_err(|message| at(&message))?,
        other => other.evaluate(view).map_err(|(_, message)| at(&message))?.value,
    };
    let mut entries: BTreeMap<String, Value> = BTreeMap::new();
    match value {
        Value::Null => {}
        Value::Object(map) => entries.extend(map),
        Value::Array(items) => {
            for item in items {
                let key = item.as_str().or_else(|| item.get("name").and_then(Value::as_str)).map(str::to_owned);
                let Some(key) = key else { return Err(at("every item needs a text `name`")) };
                if entries.insert(key.clone(), item).is_some() {
                    return Err(at(&format!("two items are named {key}")));
                }
            }
        }
        _ => return Err(at("must be a map, or a list of objects with a `name`")),
    }
    Ok(entries.into_iter().map(|(key, value)| (Some(key), Some(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_keys_survive_any_entry() {
        for entry in ["blue", "a\"]b", "[x]", ""] {
            let key = row_key("node_groups", Some(entry));
            assert_eq!(split_key(&key), Some(("node_groups", Some(entry.to_owned()))));
        }
        assert_eq!(row_key("node_groups", Some("blue")), "node_groups[\"blue\"]");
        assert_eq!(split_key("queue"), Some(("queue", None)));
    }
}
