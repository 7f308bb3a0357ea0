//! What is done to credentials before they are written: one of four steps each.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::base64;
use super::reference::ObjectRef;

/// One step; exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTransform {
    /// Gives a key another name. One that is not there is left so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename_key: Option<RenameKey>,
    /// Adds a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_key: Option<AddKey>,
    /// Adds all keys of another Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_keys_from: Option<AddKeysFrom>,
    /// Takes a key away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_key: Option<RemoveKey>,
}

/// Another name for a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenameKey {
    /// The present name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub from: String,
    /// The new name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub to: String,
}

/// A further key. An expression goes before a text, a text before bytes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddKey {
    /// Its name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub key: String,
    /// Its value, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "base64")]
    pub value: Option<String>,
    /// Its value, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Its value, as a JSONPath template over the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_path_expression: Option<String>,
}

impl fmt::Debug for AddKey {
    /// The value goes into a Secret and may be one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Keys of another Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddKeysFrom {
    /// The Secret. The user who makes the binding must be allowed to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ObjectRef>,
}

/// A key less.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveKey {
    /// Its name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub key: String,
}
