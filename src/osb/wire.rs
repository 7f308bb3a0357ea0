//! What all wire types share: how a lenient field is read, when an optional one is written, and how newer fields are
//! left out for an older platform.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::ApiVersion;

/// An answer whose fields depend on the API version of the request.
pub trait ForVersion: Sized {
    /// The answer without the fields that `version` does not know (spec: "API version header"; a platform may hold a
    /// closed schema of its own version against it).
    #[must_use]
    fn for_version(self, version: ApiVersion) -> Self;
}

/// Reads `null` as the field's default: platforms written in Go send it for what is not set.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A text for people as a sentence: it begins with a capital and ends with a stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => stopped(&first.to_uppercase().chain(letters).collect::<String>()),
        None => String::new(),
    }
}

/// The same for a text that may begin with the name of a field or a parameter, which keeps its case.
pub fn stopped(text: &str) -> String {
    let ends = text.is_empty() || text.ends_with(['.', '!', '?']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

/// Whether there is nothing to write: an optional text must not be empty when it is present.
pub fn no_text(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}

/// Whether there is nothing to write.
pub fn no_items<T>(items: &[T]) -> bool {
    items.is_empty()
}

/// Whether there is nothing to write.
pub fn no_entries(object: &Map<String, Value>) -> bool {
    object.is_empty()
}

/// Whether a flag that is off when absent can stay unwritten.
pub fn is_off(flag: &bool) -> bool {
    !*flag
}

/// A text in an object that is opaque otherwise; a value of another type and an empty one count as absent.
pub fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Whether a name or a text anywhere in it holds a NUL, which PostgreSQL's text and JSON cannot keep.
pub fn holds_nul(object: &Map<String, Value>) -> bool {
    object.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
}

/// The same for any value.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(object) => holds_nul(object),
        _ => false,
    }
}

/// Whether two objects are the same JSON, by value: the order of names does not count, and `1.0` is `1` (a platform that
/// keeps numbers as floating point writes either).
pub fn is_same(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    fn same(one: &Value, other: &Value) -> bool {
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => is_same(one, other),
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
            _ => one == other,
        }
    }
    one.len() == other.len() && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_compared_by_value() {
        let same = |one: Value, other: Value| is_same(one.as_object().unwrap(), other.as_object().unwrap());
        assert!(same(json!({"a": [1, {"b": 2.0}], "c": null}), json!({"c": null, "a": [1.0, {"b": 2}]})));
        for other in [json!({}), json!({"a": 2}), json!({"a": "1"}), json!({"b": 1}), json!({"a": 1, "b": null})] {
            assert!(!same(json!({"a": 1}), other.clone()), "{other}");
        }
        assert!(!same(json!({"a": 9_007_199_254_740_993_i64}), json!({"a": 9_007_199_254_740_992_i64})));
    }
}
