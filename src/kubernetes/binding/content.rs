//! What the Secret of a binding holds, and whether one that is there is as it should be.
//!
//! A Secret is ours if this binding is its controller, and nobody else's is ever changed. What we wrote is kept as a digest
//! in an annotation of the Secret itself: who may read that may read the credentials, too. Keys, labels and annotations
//! that somebody else adds are theirs and are left alone.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use data_encoding::HEXLOWER;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use serde_json::Value;

use super::options::Dress;
use super::transforms::Entries;
use crate::kubernetes::api::ServiceBinding;
use crate::kubernetes::write::MANAGER;

/// The label by which the controller watches the Secrets that it wrote, and no others.
pub const WATCHED: (&str, &str) = ("chandlery.dev/secret", "binding");

const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "chandlery");
const WRITTEN: &str = "chandlery.dev/written";
const KEYS: &str = "chandlery.dev/keys";
const INSTANCE: &str = "chandlery.dev/instance";
const BINDING_UID: &str = "chandlery.dev/binding-uid";

/// The most that a Secret may hold.
const LARGEST: usize = 1024 * 1024;

/// The data of a Secret.
pub type Data = BTreeMap<String, ByteString>;

/// What a Secret shall hold.
#[derive(Clone, PartialEq)]
pub struct Content {
    /// `Opaque`, or that of the Service Binding specification where the credentials say what they are of.
    pub type_: String,
    /// The data.
    pub data: Data,
}

/// What was found where the Secret should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// A Secret of somebody else; the sentence says whose.
    Foreign(String),
    /// What we wrote.
    Intact,
    /// The right data, under labels or annotations that are not as they should be; or one that Service Catalog wrote.
    Undressed,
    /// Other data.
    Damaged,
}

/// What the Secret holds for these credentials, transformed already.
pub fn content(entries: Entries, dress: &Dress) -> Result<Content, String> {
    let type_ = entries.get("type").and_then(|kind| String::from_utf8(kind.clone().bytes()).ok());
    let type_ = type_.filter(|kind| is_word(kind)).filter(|_| dress.json_key.is_none());
    let data: Data = match &dress.json_key {
        None => entries.into_iter().map(|(key, entry)| (key, ByteString(entry.bytes()))).collect(),
        Some(key) => {
            let whole = entries.into_iter().map(|(key, entry)| (key, entry.json())).collect();
            Data::from([(key.clone(), ByteString(Value::Object(whole).to_string().into_bytes()))])
        }
    };
    if let Some(key) = data.keys().find(|key| !is_key(key)) {
        return Err(format!("{key:?} cannot be a key of a Secret; the transform renameKey gives it another name"));
    }
    if data.values().map(|value| value.0.len()).sum::<usize>() > LARGEST {
        return Err("the credentials are larger than a Secret may be".to_owned());
    }
    Ok(Content { type_: type_.map_or_else(|| "Opaque".to_owned(), |kind| format!("servicebinding.io/{kind}")), data })
}

/// The whole Secret, for server-side apply.
pub fn secret(binding: &ServiceBinding, dress: &Dress, data: Data) -> Secret {
    let mut labels = dress.labels.clone();
    labels.extend([WATCHED, MANAGED_BY].map(|(key, value)| (key.to_owned(), value.to_owned())));
    let mut annotations = dress.annotations.clone();
    annotations.insert(INSTANCE.to_owned(), binding.spec.instance_ref.name.clone());
    annotations.insert(BINDING_UID.to_owned(), binding.uid().unwrap_or_default());
    annotations.insert(KEYS.to_owned(), data.keys().cloned().collect::<Vec<_>>().join(","));
    annotations.insert(WRITTEN.to_owned(), format!("{}.{}", digest(binding, dress, &data), dressed(dress)));
    Secret {
        metadata: ObjectMeta {
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![owner(binding)]),
            ..bare(binding).metadata
        },
        data: Some(data),
        ..Secret::default()
    }
}

/// The Secret before it holds anything: made so that it is ours, or nobody's.
pub fn bare(binding: &ServiceBinding) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(binding.spec.secret_name.clone()),
            namespace: binding.namespace(),
            owner_references: Some(vec![owner(binding)]),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    }
}

fn owner(binding: &ServiceBinding) -> OwnerReference {
    OwnerReference {
        api_version: ServiceBinding::api_version(&()).into_owned(),
        kind: ServiceBinding::kind(&()).into_owned(),
        name: binding.name_any(),
        uid: binding.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Looks at what is there.
pub fn inspect(found: Option<&Secret>, binding: &ServiceBinding, dress: &Dress) -> Found {
    let Some(found) = found else { return Found::Missing };
    let annotation = |key: &str| found.annotations().get(key).map(String::as_str);
    let uid = binding.uid().unwrap_or_default();
    let controller = found.owner_references().iter().find(|owner| owner.controller == Some(true));
    let ours = controller.is_some_and(|owner| owner.uid == uid);
    if !ours && (controller.is_some() || annotation(BINDING_UID) != Some(&uid)) {
        return Found::Foreign(foreign(binding, controller));
    }
    let Some((data, look)) = annotation(WRITTEN).and_then(|written| written.split_once('.')) else {
        let by_us = found.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(MANAGER));
        return if by_us { Found::Damaged } else { Found::Undressed };
    };
    if data != digest(binding, dress, &kept(found)) {
        return Found::Damaged;
    }
    let is = |map: &BTreeMap<String, String>, key: &str, value: &str| map.get(key).is_some_and(|is| is == value);
    let has_labels = [WATCHED, MANAGED_BY].iter().all(|(key, value)| is(found.labels(), key, value))
        && dress.labels.iter().all(|(key, value)| is(found.labels(), key, value))
        && dress.annotations.iter().all(|(key, value)| is(found.annotations(), key, value));
    if ours && has_labels && look == dressed(dress) { Found::Intact } else { Found::Undressed }
}

/// Of the data that is there what is ours: the keys that we wrote, or all of them if we have not yet.
pub fn kept(found: &Secret) -> Data {
    let data = found.data.clone().unwrap_or_default();
    match found.annotations().get(KEYS) {
        None => data,
        Some(keys) => {
            let keys: Vec<&str> = keys.split(',').collect();
            data.into_iter().filter(|(key, _)| keys.contains(&key.as_str())).collect()
        }
    }
}

fn foreign(binding: &ServiceBinding, controller: Option<&OwnerReference>) -> String {
    let whose = match controller {
        Some(owner) => format!("it belongs to {} {}", owner.kind, owner.name),
        None => "this binding did not make it".to_owned(),
    };
    format!("The Secret {} is there already and {whose}; it is not touched.", binding.spec.secret_name)
}

/// Of the data and how it was made from the credentials.
fn digest(binding: &ServiceBinding, dress: &Dress, data: &Data) -> String {
    let shape = serde_json::to_vec(&(&dress.json_key, &binding.spec.secret_transforms)).unwrap_or_default();
    let parts = data.iter().flat_map(|(key, value)| [key.as_bytes(), value.0.as_slice()]);
    hex([shape.as_slice()].into_iter().chain(parts))
}

fn dressed(dress: &Dress) -> String {
    hex([serde_json::to_vec(&(&dress.labels, &dress.annotations)).unwrap_or_default().as_slice()].into_iter())
}

fn hex<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::new(&SHA256);
    for part in parts {
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    HEXLOWER.encode(digest.finish().as_ref())
}

fn is_key(key: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=253).contains(&key.len()) && key.chars().all(legal) && key != "." && !key.starts_with("..")
}

fn is_word(kind: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=63).contains(&kind.len()) && kind.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
    use serde_json::json;

    use super::*;
    use crate::kubernetes::binding::transforms::{self, Sources};

    fn binding() -> ServiceBinding {
        let mut binding = ServiceBinding::new("b", serde_json::from_value(json!({"secretName": "s"})).unwrap());
        (binding.metadata.namespace, binding.metadata.uid) = (Some("ns".into()), Some("uid".into()));
        binding
    }

    fn made(credentials: Value, dress: &Dress) -> Result<Content, String> {
        let credentials = credentials.as_object().unwrap().clone();
        content(transforms::apply(credentials, &[], &Sources::new()).unwrap(), dress)
    }

    fn json_key() -> Dress {
        Dress { json_key: Some("all".into()), ..Dress::default() }
    }

    #[test]
    fn credentials_that_say_what_they_are_of_make_a_secret_of_that_type() {
        let plain = made(json!({"user": "u"}), &Dress::default()).unwrap();
        assert_eq!(plain.type_, "Opaque");
        let typed = made(json!({"type": "postgresql", "provider": "aws"}), &Dress::default()).unwrap();
        assert_eq!(typed.type_, "servicebinding.io/postgresql");
        assert_eq!(typed.data["provider"].0, b"aws");
        assert_eq!(made(json!({"type": "no word"}), &Dress::default()).unwrap().type_, "Opaque");
    }

    #[test]
    fn all_of_it_fits_into_one_key() {
        let one = made(json!({"n": 1, "o": {"a": "b"}, "type": "x"}), &json_key()).unwrap();
        assert_eq!(one.type_, "Opaque");
        assert_eq!(one.data["all"].0, br#"{"n":1,"o":{"a":"b"},"type":"x"}"#);
        assert_eq!(one.data.len(), 1);
    }

    #[test]
    fn what_no_secret_can_hold_is_said_without_its_value() {
        for credentials in [json!({"a b": "hunter2"}), json!({"": "hunter2"}), json!({"..": "hunter2"})] {
            let reason = made(credentials, &Dress::default()).err().unwrap();
            assert!(reason.contains("key") && !reason.contains("hunter2"), "{reason}");
        }
        assert!(made(json!({"a": "x".repeat(LARGEST + 1)}), &Dress::default()).is_err());
    }

    #[test]
    fn a_secret_is_told_apart_from_one_that_was_edited_and_one_of_somebody_else() {
        let (binding, dress) = (binding(), Dress::default());
        let look = |secret: &Secret| inspect(Some(secret), &binding, &dress);
        let data = made(json!({"user": "u", "pass": "p"}), &dress).unwrap().data;
        let good = secret(&binding, &dress, data);
        assert_eq!(inspect(None, &binding, &dress), Found::Missing);
        assert_eq!(look(&good), Found::Intact);
        let edit = |change: &dyn Fn(&mut Secret)| {
            let mut edited = good.clone();
            change(&mut edited);
            look(&edited)
        };
        let data = |secret: &mut Secret, key: &str, value: &[u8]| {
            secret.data.as_mut().unwrap().insert(key.into(), ByteString(value.to_vec()))
        };
        assert_eq!(edit(&|secret| drop(data(secret, "theirs", b"x"))), Found::Intact);
        assert_eq!(edit(&|secret| drop(data(secret, "user", b"x"))), Found::Damaged);
        assert_eq!(edit(&|secret| drop(secret.data.as_mut().unwrap().remove("user"))), Found::Damaged);
        assert_eq!(edit(&|secret| secret.labels_mut().clear()), Found::Undressed);
        assert_eq!(edit(&|secret| secret.owner_references_mut().clear()), Found::Undressed);
        let ours = ManagedFieldsEntry { manager: Some(MANAGER.into()), ..ManagedFieldsEntry::default() };
        assert_eq!(
            edit(&|secret| {
                secret.annotations_mut().clear();
                secret.managed_fields_mut().push(ours.clone());
            }),
            Found::Damaged
        );
        assert_eq!(inspect(Some(&good), &binding, &json_key()), Found::Damaged);
        let labelled = Dress { labels: [("app".to_owned(), "shop".to_owned())].into(), ..Dress::default() };
        assert_eq!(inspect(Some(&good), &binding, &labelled), Found::Undressed);
        let foreign = edit(&|secret| secret.owner_references_mut()[0].uid = "other".into());
        assert!(matches!(foreign, Found::Foreign(text) if text.contains("belongs to ServiceBinding b")));
        assert!(matches!(look(&Secret::default()), Found::Foreign(_)));
    }

    #[test]
    fn a_secret_of_service_catalog_is_kept_with_what_it_holds() {
        let binding = binding();
        let mut old = bare(&binding);
        old.data = Some(Data::from([("user".to_owned(), ByteString(b"u".to_vec()))]));
        assert_eq!(inspect(Some(&old), &binding, &Dress::default()), Found::Undressed);
        assert_eq!(kept(&old), old.data.clone().unwrap());
    }
}
