//! What annotations of a binding ask for, beyond what Service Catalog had. The spec has no room for it: svcat writes whole
//! objects and erases what it does not know.
//!
//! | annotation `chandlery.dev/…` | |
//! |---|---|
//! | `retry` | any text; each new one starts a binding anew that has failed for good |
//! | `rotate` | `auto` (before the credentials end) or `never` |
//! | `rotate-request` | any text; each new one replaces the credentials once |
//! | `rotation-overlap` | how long the former credentials stay good (`1h`) |
//! | `secret-json-key` | the Secret has this one key, with all credentials as a JSON object |
//! | `secret-labels`, `secret-annotations` | a JSON object of texts: for the Secret |

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;

use crate::kubernetes::api::ServiceBinding;

/// The prefix of our annotations and labels.
pub const PREFIX: &str = "chandlery.dev/";

/// How long former credentials stay good unless it is said.
const OVERLAP: Duration = Duration::from_secs(3600);

/// What shall be in the Secret besides the credentials, and how they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dress {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The one key with everything.
    pub json_key: Option<String>,
}

fn annotation<'a>(binding: &'a ServiceBinding, name: &str) -> Option<&'a str> {
    let value = binding.annotations().get(&format!("{PREFIX}{name}"))?.trim();
    (!value.is_empty()).then_some(value)
}

/// What asks for a new start after a failure.
pub fn retry(binding: &ServiceBinding) -> &str {
    annotation(binding, "retry").unwrap_or_default()
}

/// What asks for new credentials.
pub fn rotate_request(binding: &ServiceBinding) -> &str {
    annotation(binding, "rotate-request").unwrap_or_default()
}

/// Whether credentials are replaced before they end.
pub fn rotates(binding: &ServiceBinding) -> bool {
    annotation(binding, "rotate") != Some("never")
}

/// How long the former credentials stay good.
pub fn overlap(binding: &ServiceBinding) -> Duration {
    let asked = annotation(binding, "rotation-overlap").and_then(|text| text.parse::<jiff::SignedDuration>().ok());
    asked.and_then(|asked| Duration::try_from(asked).ok()).unwrap_or(OVERLAP)
}

/// How the Secret shall look.
pub fn dress(binding: &ServiceBinding) -> Result<Dress, String> {
    let map = |name: &str| match annotation(binding, name) {
        None => Ok(BTreeMap::new()),
        Some(text) => serde_json::from_str::<BTreeMap<String, String>>(text)
            .map_err(|_| format!("the annotation {PREFIX}{name} is not a JSON object of texts")),
    };
    let (labels, annotations) = (map("secret-labels")?, map("secret-annotations")?);
    if let Some(key) = labels.keys().chain(annotations.keys()).find(|key| key.starts_with(PREFIX)) {
        return Err(format!("{key} cannot be set on the Secret: {PREFIX} is ours"));
    }
    Ok(Dress { labels, annotations, json_key: annotation(binding, "secret-json-key").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(annotations: &[(&str, &str)]) -> ServiceBinding {
        let mut binding = ServiceBinding::default();
        for (name, value) in annotations {
            binding.annotations_mut().insert(format!("{PREFIX}{name}"), (*value).to_owned());
        }
        binding
    }

    #[test]
    fn nothing_said_is_what_service_catalog_did() {
        let plain = binding(&[]);
        assert_eq!(dress(&plain), Ok(Dress::default()));
        assert!(rotates(&plain) && rotate_request(&plain).is_empty() && retry(&plain).is_empty());
        assert_eq!(overlap(&plain), OVERLAP);
    }

    #[test]
    fn annotations_are_read() {
        let said = binding(&[
            ("rotate", "never"),
            ("rotation-overlap", "10m"),
            ("secret-labels", r#"{"app":"shop"}"#),
            ("secret-json-key", "credentials"),
        ]);
        assert!(!rotates(&said));
        assert_eq!(overlap(&said), Duration::from_secs(600));
        let dress = dress(&said).unwrap();
        assert_eq!((dress.labels["app"].as_str(), dress.json_key.as_deref()), ("shop", Some("credentials")));
    }

    #[test]
    fn a_wrong_one_is_named() {
        for (name, value) in [("secret-labels", "app=shop"), ("secret-annotations", r#"{"chandlery.dev/x":""}"#)] {
            assert!(dress(&binding(&[(name, value)])).unwrap_err().contains(PREFIX));
        }
    }
}
