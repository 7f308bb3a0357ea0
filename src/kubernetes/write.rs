//! How objects of the API are changed: exactly what changed, and only if nobody else changed it meanwhile.
//!
//! A change is a JSON patch of the fields that differ between what was read and what is wanted, bound to the
//! `resourceVersion` that was read. So: fields that this version does not know survive; a field that is dropped is gone,
//! whoever wrote it (Service Catalog, before us); a controller that has lost its lease and does not know it yet cannot
//! overwrite what its successor wrote. Server-side apply would give neither of the last two.
//!
//! **Status.** Nobody but us writes it, but the object around it changes at any time (`svcat touch` while a call to the
//! broker runs). [`status`] therefore tries again when only the rest has changed, and gives up with [`Error::Fenced`]
//! when the status itself has.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Who we are in `managedFields`.
pub const MANAGER: &str = "chandlery-controller";

/// How often a write is tried again because the rest of the object changed.
const TRIES: usize = 5;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has changed it: what was decided on is out of date. The next turn begins from what is there now.
    #[error("another controller has changed the object meanwhile")]
    Fenced,
    /// The API server said no, or nothing.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

impl Error {
    /// The object is not there any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Api(error) if is_not_found(error))
    }
}

/// The object is not there.
pub fn is_not_found(error: &kube::Error) -> bool {
    has_code(error, 404)
}

/// The object has changed, or is there already.
pub fn is_conflict(error: &kube::Error) -> bool {
    has_code(error, 409)
}

/// Our role does not allow it.
pub fn is_forbidden(error: &kube::Error) -> bool {
    has_code(error, 403)
}

fn has_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Writes the status of `wanted`, which was made from `read`. Gives the object as it is now; without a difference nothing
/// is sent.
pub async fn status<K>(api: &Api<K>, read: &K, wanted: &K) -> Result<K, Error>
where
    K: Resource + HasStatus + Clone + Debug + DeserializeOwned + Serialize,
    K::Status: PartialEq + Clone + Serialize,
{
    let (old, new) = (to_object(&read.status()), to_object(&wanted.status()));
    if read.status() == wanted.status() {
        return Ok(wanted.clone());
    }
    let mut version = read.resource_version();
    for _ in 0..TRIES {
        let mut changes = vec![locked(version.as_deref())];
        if read.status().is_none() {
            changes.push(json!({ "op": "add", "path": "/status", "value": {} }));
        }
        changes.extend(differences("/status", &old, &new));
        match api.patch_status(&read.name_any(), &params(), &patch(changes)?).await {
            Ok(now) => return Ok(now),
            Err(error) if is_conflict(&error) => {
                let now = api.get(&read.name_any()).await?;
                if now.status() != read.status() || now.meta().uid != read.meta().uid {
                    return Err(Error::Fenced);
                }
                version = now.resource_version();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Fenced)
}

/// Writes metadata (labels, annotations, finalizers, owners) and spec of `wanted`, which was made from `read`, if the
/// object is still the one that was read.
pub async fn object<K>(api: &Api<K>, read: &K, wanted: &K) -> Result<K, Error>
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize,
{
    let mut changes = Vec::new();
    let (old, new) = (to_object(read), to_object(wanted));
    for part in ["metadata", "spec"] {
        let of = |whole: &Map<String, Value>| whole.get(part).and_then(Value::as_object).cloned().unwrap_or_default();
        changes.extend(differences(&format!("/{part}"), &of(&old), &of(&new)));
    }
    if changes.is_empty() {
        return Ok(wanted.clone());
    }
    changes.insert(0, locked(read.resource_version().as_deref()));
    match api.patch(&read.name_any(), &params(), &patch(changes)?).await {
        Ok(now) => Ok(now),
        Err(error) if is_conflict(&error) => Err(Error::Fenced),
        Err(error) => Err(error.into()),
    }
}

/// What of an object differs, field by field; a field is written whole. `add` also replaces.
fn differences(path: &str, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Value> {
    let escape = |field: &str| field.replace('~', "~0").replace('/', "~1");
    let set = new.iter().filter(|(field, value)| old.get(*field) != Some(value));
    let set =
        set.map(|(field, value)| json!({ "op": "add", "path": format!("{path}/{}", escape(field)), "value": value }));
    let gone = old.keys().filter(|field| !new.contains_key(*field));
    let gone = gone.map(|field| json!({ "op": "remove", "path": format!("{path}/{}", escape(field)) }));
    set.chain(gone).collect()
}

/// Makes the API server refuse the patch with a conflict if the object has changed.
fn locked(version: Option<&str>) -> Value {
    json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": version.unwrap_or_default() })
}

fn patch(changes: Vec<Value>) -> Result<Patch<()>, Error> {
    let changes = serde_json::from_value(Value::Array(changes)).map_err(kube::Error::SerdeError)?;
    Ok(Patch::Json::<()>(changes))
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

fn to_object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written_and_what_is_gone_is_removed() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let old = object(json!({ "same": 1, "changed": { "a": 1 }, "gone": true }));
        let new = object(json!({ "same": 1, "changed": { "b": null }, "new/one": [] }));
        let expected = json!([
            { "op": "add", "path": "/spec/changed", "value": { "b": null } },
            { "op": "add", "path": "/spec/new~1one", "value": [] },
            { "op": "remove", "path": "/spec/gone" },
        ]);
        assert_eq!(Value::Array(differences("/spec", &old, &new)), expected);
    }
}
