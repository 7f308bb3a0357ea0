//! Free JSON in an object, and reading with a lenient eye.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A JSON object of any shape.
pub type Object = Map<String, Value>;

/// An object of any shape whose every key is kept, `$schema` and `$ref` too.
pub fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Bytes in base64. Read as text: one that is no base64 is told in a condition, and does not stop the watch.
pub fn base64(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "byte" })
}

/// A null is the zero value: Go clients write it for an empty list.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
