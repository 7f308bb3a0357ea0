//! Compiled JSON Schemas. What they say about a value never contains the value: it may be a mistyped password.

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{Draft, ValidationError};
use serde_json::Value;

use super::phrase::phrase;
use super::words::did_you_mean;
use crate::yaml::join;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Validator {
    schema: Value,
    compiled: Option<jsonschema::Validator>,
}

/// One thing that a value violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// Where in the value.
    pub pointer: String,
    /// The keyword of the schema.
    pub keyword: String,
    /// What it must be: `must be an integer from 60 to 1209600`. The subject is for the caller to name.
    pub message: String,
}

impl Validator {
    /// Compiles a schema. The error is a sentence.
    pub fn compile(schema: Value, draft: Draft) -> Result<Self, String> {
        let options = jsonschema::options().with_draft(draft).should_validate_formats(true);
        match options.build(&schema) {
            Ok(compiled) => Ok(Self { schema, compiled: Some(compiled) }),
            Err(error) => Err(format!("at {}: {error}", error.instance_path())),
        }
    }

    /// Stands for a schema that does not compile while the file's problems are collected; no revision comes of such a file.
    pub fn anything() -> Self {
        Self { schema: Value::Null, compiled: None }
    }

    /// Whether the value satisfies the schema.
    #[cfg(test)]
    pub fn accepts(&self, value: &Value) -> bool {
        self.violations(value).is_empty()
    }

    /// Everything the value violates.
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        match &self.compiled {
            // Most values are right, and to know that is much cheaper than to know why not.
            Some(compiled) if !compiled.is_valid(value) => {
                compiled.iter_errors(value).flat_map(|error| self.explain(&error)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn explain(&self, error: &ValidationError<'_>) -> Vec<Violation> {
        let pointer = error.instance_path().as_str().to_owned();
        let place = error.schema_path().as_str();
        let schema = place.rfind('/').and_then(|end| self.schema.pointer(&place[..end])).unwrap_or(&Value::Null);
        let one = |pointer: String, message: String| Violation {
            pointer,
            keyword: error.kind().keyword().to_owned(),
            message,
        };
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                let known = schema.get("properties").and_then(Value::as_object);
                let known: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                let explain = |key: &String| {
                    let hint = did_you_mean(key, known.iter().copied());
                    one(join(&pointer, key), format!("is not known here{hint}"))
                };
                unexpected.iter().map(explain).collect()
            }
            Kind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                vec![one(join(&pointer, property), "is required".to_owned())]
            }
            Kind::UniqueItems => vec![one(pointer, "must not hold the same item twice".to_owned())],
            Kind::MinProperties { limit } => vec![one(pointer, format!("must have at least {limit} entries"))],
            Kind::MaxProperties { limit } => vec![one(pointer, format!("must have at most {limit} entries"))],
            Kind::Not { .. } => vec![one(pointer, "must not be of this form".to_owned())],
            Kind::FalseSchema => vec![one(pointer, "is not allowed here".to_owned())],
            Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } | Kind::Format { .. } => {
                vec![one(pointer, format!("must be {}", phrase(schema)))]
            }
            _ if schema.is_object() => vec![one(pointer, format!("must be {}", phrase(schema)))],
            _ => vec![one(pointer, error.masked().to_string())],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn violations_say_what_would_be_right_and_never_the_value() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"enum": ["a", "b"]},
                "cors": {"type": "array", "items": {"type": "object", "properties": {"origin": {"type": "string"}}}},
            },
        });
        let validator = Validator::compile(schema, Draft::Draft4).unwrap();
        assert!(validator.accepts(&json!({"size": 1})));
        let told: Vec<String> = validator
            .violations(&json!({"mode": "hunter2", "cors": [{"origin": 7}], "sise": 1}))
            .into_iter()
            .map(|v| format!("{} {}", v.pointer, v.message))
            .collect();
        let mut sorted = told.clone();
        sorted.sort();
        assert_eq!(
            sorted,
            [
                "/cors/0/origin must be a text",
                "/mode must be one of a, b",
                "/sise is not known here; did you mean `size`?",
                "/size is required",
            ]
        );
    }
}
