//! What is sent to a broker as `parameters`: those of the spec, and those that are in Secrets.
//!
//! What this module guarantees: a key comes from one place only; what came from a Secret is shown as `<redacted>`; what is
//! wrong is said by the names of Secrets and keys, never by what they hold; the checksum is the one that Service Catalog
//! wrote, so that an object that is taken over is not changed.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::{Map, Value};

use super::api::{ParametersFrom, SecretKeyRef};
use crate::osb::Parameters;

/// What stands for a value that came from a Secret.
const REDACTED: &str = "<redacted>";

/// Parameters from all places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathered {
    /// What is sent.
    pub real: Parameters,
    /// What may be seen: of what came from Secrets the keys only. `None` if there are none.
    pub shown: Option<Parameters>,
    /// SHA-256 of what is sent, in hex; empty if there are none.
    pub checksum: String,
}

/// Why there are none to send.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user must change something: for a condition with the reason `ErrorWithParameters`.
    #[error("{0}")]
    Wrong(String),
    /// The API server.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// Puts together the parameters of an object of that namespace. The Secrets are read now.
pub async fn gather(
    client: &Client,
    namespace: &str,
    own: Option<&Parameters>,
    from: &[ParametersFrom],
) -> Result<Gathered, Error> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let mut read = BTreeMap::new();
    for name in names(from) {
        read.insert(name, api.get_opt(name).await?);
    }
    combine(own, from, |name| read.get(name).and_then(Option::as_ref)).map_err(Error::Wrong)
}

/// The Secrets that are named, each once.
pub fn names(from: &[ParametersFrom]) -> impl Iterator<Item = &str> {
    let mut names: Vec<_> = from.iter().filter_map(|from| Some(from.secret_key_ref.as_ref()?.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter(|name| !name.is_empty())
}

/// Puts them together. A sentence says what is wrong.
fn combine<'a>(
    own: Option<&Parameters>,
    from: &[ParametersFrom],
    secret: impl Fn(&str) -> Option<&'a Secret>,
) -> Result<Gathered, String> {
    let mut real = own.cloned().unwrap_or_default().0;
    let mut shown = real.clone();
    for source in from {
        let Some(at) = &source.secret_key_ref else {
            return Err("an entry of parametersFrom names no Secret".to_owned());
        };
        for (key, value) in object(at, secret(&at.name))? {
            if real.contains_key(&key) {
                return Err(format!("the parameter {key:?} comes from more than one place"));
            }
            shown.insert(key.clone(), Value::String(REDACTED.to_owned()));
            real.insert(key, value);
        }
    }
    let some = !real.is_empty();
    let checksum = if some { checksum(&real) } else { String::new() };
    Ok(Gathered { real: Parameters(real), shown: some.then_some(Parameters(shown)), checksum })
}

/// The JSON object that a key of a Secret holds.
fn object(at: &SecretKeyRef, secret: Option<&Secret>) -> Result<Map<String, Value>, String> {
    let SecretKeyRef { name, key } = at;
    let secret = secret.ok_or_else(|| format!("there is no Secret {name}, which parametersFrom names"))?;
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    let value = value.ok_or_else(|| format!("the Secret {name} lacks the key {key:?}, which parametersFrom names"))?;
    // What serde says would quote what it read.
    serde_json::from_slice(&value.0).map_err(|_| format!("{key:?} in the Secret {name} is not a JSON object"))
}

/// Of the JSON that Go writes: compact, keys sorted, and these five characters escaped.
pub fn checksum(parameters: &Map<String, Value>) -> String {
    let mut text = Value::Object(parameters.clone()).to_string();
    for (character, escaped) in
        [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
    {
        text = text.replace(character, escaped);
    }
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;

    fn secret(value: &str) -> Secret {
        Secret {
            data: Some(BTreeMap::from([("k".to_owned(), ByteString(value.as_bytes().to_vec()))])),
            ..Secret::default()
        }
    }

    fn from(names: &[&str]) -> Vec<ParametersFrom> {
        let one = |name: &&str| SecretKeyRef { name: (*name).to_owned(), key: "k".to_owned() };
        names.iter().map(|name| ParametersFrom { secret_key_ref: Some(one(name)) }).collect()
    }

    fn own(value: Value) -> Parameters {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_came_from_a_secret_is_sent_and_not_shown() {
        let (a, b) = (secret(r#"{"password":"hunter2"}"#), secret(r#"{"pin":1}"#));
        let read = |name: &str| if name == "a" { Some(&a) } else { Some(&b) };
        let gathered = combine(Some(&own(json!({"size": 3}))), &from(&["a", "b"]), read).unwrap();
        assert_eq!(json!(gathered.real), json!({"password": "hunter2", "pin": 1, "size": 3}));
        assert_eq!(json!(gathered.shown), json!({"password": REDACTED, "pin": REDACTED, "size": 3}));
        assert!(!format!("{gathered:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_is_nothing_however_it_is_written() {
        assert_eq!(combine(None, &[], |_| None).unwrap(), Gathered::default());
        assert_eq!(combine(Some(&own(json!({}))), &[], |_| None).unwrap(), Gathered::default());
    }

    #[test]
    fn what_is_wrong_is_said_by_names_alone() {
        let (double, bad) = (secret(r#"{"size":"hunter2"}"#), secret(r#"["hunter2"]"#));
        let size = own(json!({"size": 3}));
        let keyless = Secret::default();
        for (secret, said) in [
            (None, "there is no Secret a"),
            (Some(&keyless), "lacks the key \"k\""),
            (Some(&bad), "is not a JSON object"),
            (Some(&double), "the parameter \"size\" comes from more than one place"),
        ] {
            let reason = combine(Some(&size), &from(&["a"]), |_| secret).unwrap_err();
            assert!(reason.contains(said) && !reason.contains("hunter2"), "{reason}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_go() {
        // printf '%s' '{"a":"\u003cb\u003e\u0026","z":[1,{"y":null}]}' | sha256sum
        let parameters = own(json!({"z": [1, {"y": null}], "a": "<b>&"}));
        assert_eq!(checksum(&parameters.0), "fc045cfab2e1fef0da82fa3f1bdeb13f772b44d6b02e58624536b0fc2dbe0c9d");
    }
}
