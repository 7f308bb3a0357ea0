//! Holds a document against the schema of the format, and says everything that is wrong in words.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::Problem;
use crate::yaml::{Located, join};

/// Everything about keys and types. What values must look like is said by the checks of their own files.
pub(super) fn check(document: &Located, schema: &Value, problems: &mut Vec<Problem>) {
    check_blanks(document, &document.value, "", problems);
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            return problems.push(document.problem("", format!("the schema of this file is broken: {error}")));
        }
    };
    for error in validator.iter_errors(&document.value) {
        let pointer = error.instance_path().as_str();
        let found = document.value.pointer(pointer).unwrap_or(&Value::Null);
        match error.kind() {
            // Said by `check_blanks`, and better.
            _ if found.is_null() => {}
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = known_keys(schema, pointer).join(", ");
                for key in unexpected {
                    let message = format!("there is no such key; the keys here are {known}");
                    problems.push(document.key_problem(&join(pointer, key), message));
                }
            }
            ValidationErrorKind::Required { property } => {
                let message = format!("the key `{}` is missing", property.as_str().unwrap_or_default());
                problems.push(document.problem(pointer, message));
            }
            ValidationErrorKind::Type { kind } => {
                problems.push(document.problem(pointer, wrong_type(kind, found)));
            }
            ValidationErrorKind::AnyOf { .. } => {
                problems.push(document.problem(pointer, "must be a pattern or a list of patterns"));
            }
            ValidationErrorKind::Pattern { .. } => {}
            ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
                problems.push(document.problem(pointer, "must be between 0 and 4294967295"));
            }
            other => {
                problems.push(document.problem(pointer, format!("is not valid ({})", other.keyword())));
            }
        }
    }
}

/// A key without a value (`namespace:`) would be read as if it were not there: a rule would silently fit more orders.
fn check_blanks(document: &Located, value: &Value, pointer: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::Null if pointer.is_empty() => problems.push(document.problem("", "the file is empty")),
        Value::Null => problems.push(document.problem(pointer, "has no value: write one, or leave the key out")),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_blanks(document, item, &format!("{pointer}/{index}"), problems);
            }
        }
        Value::Object(map) => {
            // These two hold the administrator's own values, where `null` may mean something.
            for (key, item) in map.iter().filter(|(key, _)| !["forced", "settings"].contains(&key.as_str())) {
                check_blanks(document, item, &join(pointer, key), problems);
            }
        }
        _ => {}
    }
}

fn wrong_type(kind: &TypeKind, found: &Value) -> String {
    let wanted = match kind {
        TypeKind::Single(wanted) => wanted.to_string(),
        TypeKind::Multiple(_) => String::new(),
    };
    let word = match wanted.as_str() {
        "string" if found.is_number() || found.is_boolean() => "text: put it in quotes",
        "string" => "text",
        "integer" => "a whole number",
        "array" => "a list (lines that begin with `-`)",
        "object" => "a map (`key: value` lines)",
        _ => "of another type",
    };
    format!("must be {word}")
}

/// The keys that the schema knows at a place of the document.
fn known_keys(schema: &Value, pointer: &str) -> Vec<String> {
    let mut at = schema;
    for token in pointer.split('/').skip(1) {
        at = resolve(schema, at);
        at = match at.get("properties").and_then(|properties| properties.get(token)) {
            Some(property) => property,
            None => &at["items"],
        };
    }
    let keys = resolve(schema, at).get("properties").and_then(Value::as_object);
    keys.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

/// Follows references.
fn resolve<'a>(root: &'a Value, mut at: &'a Value) -> &'a Value {
    while let Some(reference) = at.get("$ref").and_then(Value::as_str) {
        match root.pointer(reference.trim_start_matches('#')) {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}
