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
    fn in_value(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(in_value),
            Value::Object(object) => holds_nul(object),
            _ => false,
        }
    }
    object.iter().any(|(name, value)| name.contains('\0') || in_value(value))
}
