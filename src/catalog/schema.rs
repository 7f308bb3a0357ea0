//! The schemas of parameters: draft-04, closed, one for each plan and verb. What we serve is what we check requests against.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::{Parameter, PlanDocument};

/// The only version that every platform must support (spec: "Schemas Object").
pub(super) const DRAFT_04: &str = "http://json-schema.org/draft-04/schema#";

/// What a request sets parameters for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A provision.
    Create,
    /// An update.
    Update,
    /// A bind.
    Bind,
}

/// The schema for one verb, as platforms see it. In an update only what may change is listed, nothing is required, and null
/// takes an optional parameter back to its default.
pub(super) fn closed(parameters: &BTreeMap<String, Parameter>, plan: &PlanDocument, verb: Verb) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, parameter) in parameters {
        // A plan's values and defaults are the instance's; a binding's parameters have names of their own.
        let of_plan = verb != Verb::Bind;
        if of_plan && plan.fixed.contains_key(name) || verb == Verb::Update && !parameter.updatable {
            continue;
        }
        let mut schema = parameter.schema.clone();
        if let Some(default) = plan.defaults.get(name).filter(|_| of_plan) {
            schema.insert("default".to_owned(), default.clone());
        }
        let must = parameter.required && !schema.contains_key("default");
        match verb {
            Verb::Update if !must => schema = nullable(schema),
            Verb::Create | Verb::Bind if must => required.push(Value::from(name.as_str())),
            _ => {}
        }
        properties.insert(name.clone(), Value::Object(schema));
    }
    let mut schema = json!({
        "$schema": DRAFT_04,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    schema
}

/// The schema of all parameters at once, none required: for values that an administrator or a plan sets.
pub(super) fn open(parameters: &BTreeMap<String, Parameter>) -> Value {
    let properties: Map<String, Value> =
        parameters.iter().map(|(name, parameter)| (name.clone(), Value::Object(parameter.schema.clone()))).collect();
    json!({"$schema": DRAFT_04, "type": "object", "properties": properties})
}

/// The same schema, which also takes null.
fn nullable(mut schema: Map<String, Value>) -> Map<String, Value> {
    let composed = ["anyOf", "oneOf", "allOf", "not"].iter().any(|keyword| schema.contains_key(*keyword));
    if composed {
        let mut outer = Map::new();
        for keyword in ["title", "description", "default"] {
            if let Some(value) = schema.remove(keyword) {
                outer.insert(keyword.to_owned(), value);
            }
        }
        outer.insert("anyOf".to_owned(), json!([schema, {"type": "null"}]));
        return outer;
    }
    match schema.get_mut("type") {
        Some(Value::Array(types)) if !types.iter().any(|t| t == "null") => types.push("null".into()),
        Some(kind @ Value::String(_)) if kind != "null" => *kind = json!([kind.clone(), "null"]),
        _ => {}
    }
    if let Some(Value::Array(options)) = schema.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
    schema
}

/// Whether a schema has defaults below its own.
pub(super) fn has_inner_defaults(schema: &Map<String, Value>) -> bool {
    let inside =
        |schema: &Value| schema.as_object().is_some_and(|s| s.contains_key("default") || has_inner_defaults(s));
    schema.get("properties").and_then(Value::as_object).is_some_and(|p| p.values().any(inside))
        || schema.get("items").is_some_and(inside)
        || schema.get("additionalProperties").is_some_and(inside)
}

/// Puts the defaults of inner properties where a given object leaves them out.
pub(super) fn fill_inner_defaults(schema: &Map<String, Value>, value: &mut Value) {
    match value {
        Value::Array(items) => {
            if let Some(schema) = schema.get("items").and_then(Value::as_object) {
                items.iter_mut().for_each(|item| fill_inner_defaults(schema, item));
            }
        }
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                let Some(inner) = inner.as_object() else { continue };
                if let (false, Some(default)) = (map.contains_key(name), inner.get("default")) {
                    map.insert(name.clone(), default.clone());
                }
                if let Some(value) = map.get_mut(name) {
                    fill_inner_defaults(inner, value);
                }
            }
            if let Some(inner) = schema.get("additionalProperties").and_then(Value::as_object) {
                let known = |name: &String| properties.is_some_and(|p| p.contains_key(name));
                map.iter_mut().filter(|(name, _)| !known(name)).for_each(|(_, v)| fill_inner_defaults(inner, v));
            }
        }
        _ => {}
    }
}

/// Whether a schema declares properties below its own.
pub(super) fn has_properties(schema: &Map<String, Value>) -> bool {
    let inside = |schema: &Value| schema.as_object().is_some_and(has_properties);
    schema.contains_key("properties")
        || schema.get("items").is_some_and(inside)
        || schema.get("additionalProperties").is_some_and(inside)
}

/// Puts null where a given object leaves out a declared property: in expressions, declared and not given is none.
pub(super) fn fill_nones(schema: &Map<String, Value>, value: &mut Value) {
    match value {
        Value::Array(items) => {
            if let Some(schema) = schema.get("items").and_then(Value::as_object) {
                items.iter_mut().for_each(|item| fill_nones(schema, item));
            }
        }
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                let value = map.entry(name.as_str()).or_insert(Value::Null);
                inner.as_object().into_iter().for_each(|inner| fill_nones(inner, value));
            }
            if let Some(inner) = schema.get("additionalProperties").and_then(Value::as_object) {
                let known = |name: &String| properties.is_some_and(|p| p.contains_key(name));
                map.iter_mut().filter(|(name, _)| !known(name)).for_each(|(_, v)| fill_nones(inner, v));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(value: Value) -> BTreeMap<String, Parameter> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn each_verb_has_its_schema() {
        let parameters = parameters(json!({
            "size": {"type": "integer", "default": 5, "updatable": true},
            "mode": {"type": "string", "enum": ["a", "b"], "updatable": true, "secret": true},
            "engine": {"type": "string", "required": true, "reference": "engine"},
            "fifo": {"type": "boolean"},
        }));
        let plan: PlanDocument = serde_json::from_value(json!({
            "id": "1", "name": "p", "description": "d", "fixed": {"fifo": true, "own": 1}, "defaults": {"size": 7},
        }))
        .unwrap();
        let create = closed(&parameters, &plan, Verb::Create);
        assert_eq!(
            create,
            json!({
                "$schema": DRAFT_04, "type": "object", "additionalProperties": false, "required": ["engine"],
                "properties": {
                    "size": {"type": "integer", "default": 7},
                    "mode": {"type": "string", "enum": ["a", "b"]},
                    "engine": {"type": "string"},
                },
            })
        );
        let update = closed(&parameters, &plan, Verb::Update);
        assert_eq!(
            update["properties"],
            json!({
                "size": {"type": ["integer", "null"], "default": 7},
                "mode": {"type": ["string", "null"], "enum": ["a", "b", null]},
            })
        );
        assert_eq!(update.get("required"), None);
    }

    #[test]
    fn inner_defaults_are_filled() {
        let schema = json!({"items": {"properties": {"days": {"default": 30}, "prefix": {}}}});
        let schema = schema.as_object().unwrap();
        assert!(has_inner_defaults(schema));
        let mut value = json!([{"prefix": "a"}, {"days": 1}]);
        fill_inner_defaults(schema, &mut value);
        assert_eq!(value, json!([{"prefix": "a", "days": 30}, {"days": 1}]));
    }
}
