//! Values to try an offering with.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Draft;
use serde_json::{Map, Value, json};

use super::super::document::Parameter;
use super::super::parameters::ParameterSet;
use super::super::plan::Plan;
use super::super::revision::Revision;
use super::super::scope::Names;
use super::super::validator::Validator;

/// The longest slug there is: a prefix of 20 characters, a hyphen, 16 random ones.
const SLUG: &str = "pppppppppppppppppppp-0000000000000000";
const BIND_SLUG: &str = "pppppppppppppppppppp-1111111111111111";

/// What a pattern is tried with.
const TEXTS: &[&str] = &[
    "sample",
    "A",
    "1",
    "a1",
    "A1",
    "a-1",
    "a:A",
    "/a",
    "a/",
    "a.b",
    "a@b.c",
    "1.0",
    "10.0.0.0/16",
    "https://example.com",
    "vpc-00000000",
    "subnet-00000000",
    "sg-00000000",
    "key/00000000-0000-4000-8000-000000000000",
    "arn:aws:iam::123456789012:role/sample",
    "arn:aws:sqs:eu-central-1:123456789012:sample",
    "arn:aws:s3:::sample",
    "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-4000-8000-000000000000",
];

/// The static names of an instance, with the longest slug.
pub(super) fn names(plan: &Plan, params: Value) -> Names {
    let uid = "00000000-0000-4000-8000-000000000000";
    Names {
        params,
        plan: plan.names().clone(),
        instance: json!({
            "slug": SLUG, "uid": uid, "id": "an-instance", "name": "sample", "namespace": "sample",
            "organization": "sample", "space": "sample",
        }),
        binding: None,
        target: json!({"name": "main", "account": "123456789012", "region": "ap-southeast-1", "partition": "aws-us-gov"}),
    }
}

/// The static names of a binding to that instance.
pub(super) fn binding_names(plan: &Plan, instance: Value, params: Value) -> Names {
    let mut names = names(plan, params);
    names.instance["params"] = instance;
    names.binding = Some(json!({"slug": BIND_SLUG, "uid": "0", "id": "a-binding", "app_guid": "an-app"}));
    names
}

/// Values of the required parameters, and the names of those for which no valid one was found.
pub(super) fn required(set: &ParameterSet, skip: &Map<String, Value>) -> (Map<String, Value>, BTreeSet<String>) {
    let mut given = Map::new();
    let mut guessed = BTreeSet::new();
    for (name, parameter) in set.declared.iter().filter(|(name, p)| p.required && !skip.contains_key(*name)) {
        match valid(set, name, sample(&parameter.schema)) {
            Some(value) => {
                given.insert(name.clone(), value);
            }
            None => {
                given.insert(name.clone(), "sample".into());
                guessed.insert(name.clone());
            }
        }
    }
    (given, guessed)
}

/// The values to try a parameter with.
pub(super) fn candidates(set: &ParameterSet, name: &str, parameter: &Parameter) -> Vec<Value> {
    if let Some(options) = parameter.schema.get("enum").and_then(Value::as_array) {
        return options.clone();
    }
    // The default is tried anyway, and often it is the emptiest value there is.
    let mut schema = parameter.schema.clone();
    schema.remove("default");
    let values = match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => vec![false.into(), true.into()],
        Some("integer" | "number") => {
            let ends: Vec<Value> = ["minimum", "maximum"].iter().filter_map(|end| schema.get(*end).cloned()).collect();
            if ends.is_empty() { vec![1.into()] } else { ends }
        }
        _ => sample(&schema).into_iter().collect(),
    };
    values.into_iter().filter_map(|value| valid(set, name, Some(value))).collect()
}

fn valid(set: &ParameterSet, name: &str, value: Option<Value>) -> Option<Value> {
    let value = value?;
    let alone = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    set.values.violations(&alone).is_empty().then_some(value)
}

/// A value that should satisfy a schema; none where none is found.
pub fn sample(schema: &Map<String, Value>) -> Option<Value> {
    if let Some(default) = schema.get("default") {
        return Some(default.clone());
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return options.first().cloned();
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(first) = schema.get(keyword).and_then(|options| options.get(0)).and_then(Value::as_object) {
            return sample(first);
        }
    }
    let kind = match schema.get("type")? {
        Value::Array(kinds) => kinds.first()?.as_str()?,
        kind => kind.as_str()?,
    };
    let number = |key: &str| schema.get(key).cloned();
    let count = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    match kind {
        "integer" | "number" => number("minimum").or_else(|| number("maximum")).or(Some(1.into())),
        "string" => {
            let plain = "a".repeat(count("minLength").unwrap_or(1).max(1));
            let Some(_) = schema.get("pattern") else { return Some(plain.into()) };
            let validator = Validator::compile(Value::Object(schema.clone()), Draft::Draft4).ok()?;
            let texts = std::iter::once(plain.as_str()).chain(TEXTS.iter().copied()).map(Value::from);
            texts.into_iter().find(|text| validator.violations(text).is_empty())
        }
        "boolean" => Some(true.into()),
        "array" => {
            let item = schema.get("items").and_then(Value::as_object).and_then(sample);
            let wanted = count("minItems").unwrap_or(1).max(1).min(count("maxItems").unwrap_or(1).max(1));
            Some(Value::Array(item.into_iter().cycle().take(wanted).collect()))
        }
        "object" => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let mut map: Map<String, Value> = properties
                .into_iter()
                .flatten()
                .filter_map(|(name, inner)| Some((name.clone(), sample(inner.as_object()?)?)))
                .collect();
            if let (true, Some(inner)) = (map.is_empty(), schema.get("additionalProperties").and_then(Value::as_object))
            {
                map.insert("sample".to_owned(), sample(inner)?);
            }
            Some(Value::Object(map))
        }
        _ => None,
    }
}

/// Outputs of a row: a text each, whatever they really are.
pub(super) fn outputs(revision: &Revision, resource: &str) -> Map<String, Value> {
    let none = BTreeMap::new();
    let outputs = revision.resources.get(resource).map_or(&none, |resource| &resource.outputs);
    outputs.keys().map(|name| (name.clone(), Value::from("sample"))).collect()
}
