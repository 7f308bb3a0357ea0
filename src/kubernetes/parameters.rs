//! The parameters of an instance or a binding: the defaults of class and plan, the spec's own, and those from Secrets.
//!
//! What came from a Secret never leaves this module in a form that is written down: [`Given::shown`] has `<redacted>` in
//! its place, and [`Given::scrub`] takes it out of what a broker says.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::{Map, Value};

use super::api::ParametersFrom;
use super::write;
use crate::osb::Parameters;

/// What stands for a value that came from a Secret.
const REDACTED: &str = "<redacted>";

/// Texts that are shorter than this are not looked for in what a broker says: they would be found everywhere.
const TELLING: usize = 4;

/// The parameters, complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// What the broker gets.
    pub real: Parameters,
    /// What may be shown.
    pub shown: Parameters,
    /// SHA-256 in hex of the real ones; empty if there are none.
    pub checksum: String,
    secrets: Hidden,
}

/// Texts that came from Secrets.
#[derive(Clone, Default, PartialEq)]
struct Hidden(Vec<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Puts together the parameters of an object of that namespace; the Secrets are read now. The inner error is a sentence for
/// the user.
pub async fn gather(
    client: &Client,
    namespace: &str,
    defaults: Option<&Parameters>,
    own: Option<&Parameters>,
    from: &[ParametersFrom],
) -> Result<Result<Given, String>, kube::Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut secrets = BTreeMap::new();
    for source in from.iter().filter_map(|source| source.secret_key_ref.as_ref()) {
        if !secrets.contains_key(&source.name) && !source.name.is_empty() {
            let secret = match api.get_opt(&source.name).await {
                Err(error) if write::is_forbidden(&error) => {
                    return Ok(Err(format!("The controller may not read the Secret {:?}.", source.name)));
                }
                secret => secret?,
            };
            secrets.insert(source.name.clone(), secret);
        }
    }
    Ok(merge(defaults, own, from, &secrets))
}

/// Puts the parameters together. The error is a sentence that names Secrets, keys and parameters, and no value.
pub fn merge(
    defaults: Option<&Parameters>,
    own: Option<&Parameters>,
    from: &[ParametersFrom],
    secrets: &BTreeMap<String, Option<Secret>>,
) -> Result<Given, String> {
    let own = own.map(|own| own.0.clone()).unwrap_or_default();
    let mut given = Map::new();
    let mut hidden = Vec::new();
    let mut foreign = Vec::new();
    for source in from {
        for (name, value) in read(source, secrets)? {
            if own.contains_key(&name) || given.contains_key(&name) {
                return Err(format!("The parameter {name:?} is given more than once: in spec.parameters or a Secret."));
            }
            texts(&value, &mut hidden);
            foreign.push(name.clone());
            given.insert(name, value);
        }
    }
    given.extend(own);
    for (name, value) in defaults.iter().flat_map(|defaults| &defaults.0) {
        given.entry(name).or_insert_with(|| value.clone());
    }
    let mut shown = given.clone();
    for name in foreign {
        shown.insert(name, Value::from(REDACTED));
    }
    // The longest first: a text may be part of another.
    hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
    Ok(Given { checksum: checksum(&given), real: Parameters(given), shown: Parameters(shown), secrets: Hidden(hidden) })
}

fn read(source: &ParametersFrom, secrets: &BTreeMap<String, Option<Secret>>) -> Result<Map<String, Value>, String> {
    let Some(at) = &source.secret_key_ref else { return Ok(Map::new()) };
    let (name, key) = (&at.name, &at.key);
    let secret = secrets.get(name).and_then(Option::as_ref);
    let secret = secret.ok_or_else(|| format!("The Secret {name:?} of spec.parametersFrom does not exist."))?;
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    let value = value.ok_or_else(|| format!("The Secret {name:?} of spec.parametersFrom lacks the key {key:?}."))?;
    serde_json::from_slice(&value.0)
        .map_err(|_| format!("The value of the key {key:?} in the Secret {name:?} is not a JSON object."))
}

impl Given {
    /// A sentence without what came from Secrets.
    pub fn scrub(&self, text: &str) -> String {
        self.secrets.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }
}

fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= TELLING => into.push(text.clone()),
        Value::Number(number) if number.to_string().len() >= TELLING => into.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        _ => {}
    }
}

/// As Service Catalog computed it, so that an instance that is taken over counts as unchanged.
fn checksum(parameters: &Map<String, Value>) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    canonical(&Value::Object(parameters.clone()), &mut text);
    HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// JSON as Go writes it: sorted keys, no spaces, `<`, `>` and `&` escaped, whole numbers without a fraction.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            out.push('{');
            for (place, (name, field)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                canonical(&Value::from(name.as_str()), out);
                out.push(':');
                canonical(field, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::String(_) => {
            for c in value.to_string().chars() {
                match c {
                    '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                    c => out.push(c),
                }
            }
        }
        Value::Number(number) => {
            let text = number.to_string();
            out.push_str(text.strip_suffix(".0").unwrap_or(&text));
        }
        Value::Bool(_) | Value::Null => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;
    use crate::kubernetes::api::SecretKeyRef;

    fn object(value: Value) -> Parameters {
        serde_json::from_value(value).unwrap()
    }

    fn from(name: &str) -> ParametersFrom {
        ParametersFrom { secret_key_ref: Some(SecretKeyRef { name: name.into(), key: "key".into() }) }
    }

    fn secrets(text: &str) -> BTreeMap<String, Option<Secret>> {
        let data = BTreeMap::from([("key".to_owned(), ByteString(text.as_bytes().to_vec()))]);
        BTreeMap::from([
            ("there".to_owned(), Some(Secret { data: Some(data), ..Secret::default() })),
            ("gone".to_owned(), None),
        ])
    }

    #[test]
    fn the_user_goes_before_the_defaults_and_secrets_are_not_shown() {
        let defaults = object(json!({"size": 1, "color": "red"}));
        let own = object(json!({"size": 2}));
        let secrets = secrets(r#"{"password": "hunter2", "deep": {"pin": 123456}}"#);
        let given = merge(Some(&defaults), Some(&own), &[from("there")], &secrets).unwrap();
        let real = json!({"size": 2, "color": "red", "password": "hunter2", "deep": {"pin": 123456}});
        assert_eq!(given.real, object(real));
        let shown = json!({"size": 2, "color": "red", "password": "<redacted>", "deep": "<redacted>"});
        assert_eq!(given.shown, object(shown));
        assert_eq!(given.scrub("no hunter2, no 123456"), "no <redacted>, no <redacted>");
        assert!(!format!("{given:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_named_without_a_value() {
        let own = object(json!({"password": "mine"}));
        let merged = |name: &str, text: &str| merge(None, Some(&own), &[from(name)], &secrets(text)).unwrap_err();
        assert!(merged("there", r#"{"password": "hunter2"}"#).contains("given more than once"));
        assert!(merged("gone", "{}").contains("does not exist"));
        let error = merged("there", r#"["hunter2"]"#);
        assert!(error.contains("is not a JSON object") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn checksums_are_those_of_service_catalog() {
        let of = |value: Value| checksum(&object(value).0);
        assert_eq!(of(json!({})), "");
        let mut text = String::new();
        canonical(&json!({"b": [1.0, 0.5, "a<&>"], "a": {"d": null, "c": true}}), &mut text);
        assert_eq!(text, r#"{"a":{"c":true,"d":null},"b":[1,0.5,"a\u003c\u0026\u003e"]}"#);
        // printf '{"a":1}' | sha256sum
        assert_eq!(of(json!({"a": 1})), "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862");
    }
}
