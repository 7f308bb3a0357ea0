//! What is done to credentials before they are written, in the order of the spec.
//!
//! As in Service Catalog: an expression goes before a text and a text before bytes, and is read against what the steps
//! before it made; a key that is not there is not renamed and not removed; what is added replaces what is there.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::ByteString;
use serde_json::{Map, Value};

use super::jsonpath::Template;
use crate::kubernetes::api::{AddKey, ObjectRef, SecretTransform};

/// Credentials on their way into a Secret.
pub type Entries = BTreeMap<String, Entry>;

/// One of them.
#[derive(Clone, PartialEq)]
pub enum Entry {
    /// From the broker.
    Json(Value),
    /// From elsewhere.
    Bytes(Vec<u8>),
}

impl Entry {
    /// What the Secret holds: texts as they are, everything else as compact JSON.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Json(Value::String(text)) => text.into_bytes(),
            Self::Json(value) => value.to_string().into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// As JSON; bytes that are no text stay base64.
    pub fn json(self) -> Value {
        match self {
            Self::Json(value) => value,
            Self::Bytes(bytes) => String::from_utf8(bytes)
                .map_or_else(|error| Value::String(BASE64_STANDARD.encode(error.as_bytes())), Value::String),
        }
    }
}

/// The other Secrets that are read, by namespace and name.
pub type Sources = BTreeMap<(String, String), BTreeMap<String, ByteString>>;

/// The other Secrets that must be read.
pub fn sources(transforms: &[SecretTransform]) -> impl Iterator<Item = &ObjectRef> {
    transforms.iter().filter_map(|step| step.add_keys_from.as_ref()?.secret_ref.as_ref())
}

/// What is wrong with the transforms whatever the credentials are. Found before a bind is sent.
pub fn check(transforms: &[SecretTransform]) -> Result<(), String> {
    for step in transforms {
        if let Some(add) = &step.add_key {
            match (&add.json_path_expression, &add.string_value, &add.value) {
                (Some(expression), ..) => drop(Template::parse(expression)?),
                (None, None, Some(value)) => drop(bytes(&add.key, value)?),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Does all steps.
pub fn apply(
    credentials: Map<String, Value>,
    transforms: &[SecretTransform],
    sources: &Sources,
) -> Result<Entries, String> {
    let mut entries: Entries = credentials.into_iter().map(|(key, value)| (key, Entry::Json(value))).collect();
    for step in transforms {
        if let Some(rename) = step.rename_key.as_ref()
            && let Some(entry) = entries.remove(&rename.from)
        {
            entries.insert(rename.to.clone(), entry);
        }
        if let Some(add) = &step.add_key {
            let entry = added(add, &entries)?;
            entries.insert(add.key.clone(), entry);
        }
        if let Some(at) = step.add_keys_from.as_ref().and_then(|from| from.secret_ref.as_ref()) {
            let data = sources.get(&(at.namespace.clone(), at.name.clone()));
            let data =
                data.ok_or_else(|| format!("there is no Secret {}/{} to add keys from", at.namespace, at.name))?;
            entries.extend(data.iter().map(|(key, value)| (key.clone(), Entry::Bytes(value.0.clone()))));
        }
        if let Some(remove) = &step.remove_key {
            entries.remove(&remove.key);
        }
    }
    Ok(entries)
}

fn added(add: &AddKey, entries: &Entries) -> Result<Entry, String> {
    let AddKey { key, value, string_value, json_path_expression } = add;
    if let Some(expression) = json_path_expression {
        let root = entries.iter().map(|(key, entry)| (key.clone(), entry.clone().json())).collect();
        return Ok(Entry::Json(Value::String(Template::parse(expression)?.apply(&Value::Object(root))?)));
    }
    match (string_value, value) {
        (Some(text), _) => Ok(Entry::Bytes(text.clone().into_bytes())),
        (None, value) => bytes(key, value.as_deref().unwrap_or_default()).map(Entry::Bytes),
    }
}

fn bytes(key: &str, value: &str) -> Result<Vec<u8>, String> {
    BASE64_STANDARD.decode(value).map_err(|_| format!("the value of the transform that adds {key:?} is not base64"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(credentials: Value, transforms: Value) -> Result<BTreeMap<String, String>, String> {
        let transforms: Vec<SecretTransform> = serde_json::from_value(transforms).unwrap();
        let more = BTreeMap::from([("extra".to_owned(), ByteString(b"x".to_vec()))]);
        let sources = Sources::from([(("ns".to_owned(), "more".to_owned()), more)]);
        check(&transforms)?;
        let entries = apply(credentials.as_object().unwrap().clone(), &transforms, &sources)?;
        Ok(entries.into_iter().map(|(key, entry)| (key, String::from_utf8(entry.bytes()).unwrap())).collect())
    }

    #[test]
    fn texts_stay_as_they_are_and_everything_else_is_compact_json() {
        let made = done(json!({"s": "a\"b", "n": 5, "z": null, "o": {"k": [1, true]}}), json!([])).unwrap();
        assert_eq!(json!(made), json!({"s": "a\"b", "n": "5", "z": "null", "o": r#"{"k":[1,true]}"#}));
    }

    #[test]
    fn steps_are_done_in_their_order_and_expressions_go_first() {
        let made = done(
            json!({"user": "u", "pass": "p", "port": 1}),
            json!([
                {"renameKey": {"from": "user", "to": "username"}},
                {"renameKey": {"from": "nothing", "to": "else"}},
                {"renameKey": {"from": "port", "to": "port"}},
                {"addKey": {"key": "a", "value": "Ynl0ZXM=", "stringValue": "text", "jsonPathExpression": "{.username}"}},
                {"addKey": {"key": "b", "value": "Ynl0ZXM=", "stringValue": "text", "jsonPathExpression": null}},
                {"addKey": {"key": "c", "value": "Ynl0ZXM="}},
                {"addKey": {"key": "d", "jsonPathExpression": "{.username}:{.c}"}},
                {"addKeysFrom": {"secretRef": {"namespace": "ns", "name": "more"}}},
                {"removeKey": {"key": "pass"}},
                {"removeKey": {"key": "nothing"}},
            ]),
        );
        let expected =
            json!({"username": "u", "port": "1", "a": "u", "b": "text", "c": "bytes", "d": "u:bytes", "extra": "x"});
        assert_eq!(json!(made.unwrap()), expected);
    }

    #[test]
    fn what_cannot_be_done_is_said_without_a_value() {
        for (transforms, said) in [
            (json!([{"addKey": {"key": "k", "value": "hunter2!"}}]), "not base64"),
            (json!([{"addKey": {"key": "k", "jsonPathExpression": "{.nope}"}}]), "no \"nope\""),
            (json!([{"addKeysFrom": {"secretRef": {"namespace": "ns", "name": "else"}}}]), "no Secret ns/else"),
        ] {
            let reason = done(json!({"p": "hunter2"}), transforms).unwrap_err();
            assert!(reason.contains(said) && !reason.contains("hunter2"), "{reason}");
        }
    }
}
