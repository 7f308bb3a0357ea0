//! Credentials end as the keys and values of a Kubernetes Secret.

use serde_json::{Map, Value};

use super::super::compiled::CANONICAL;
use super::super::tree::MERGE;
use super::Report;
use crate::yaml::join;

pub(super) fn check(report: &mut Report<'_>) {
    let offering = report.revision.offering();
    texts(report, "/instance/labels", &offering.instance.labels);
    texts(report, "/instance/attributes", &offering.instance.attributes);
    let Some(section) = &offering.binding else { return };
    let pointer = "/binding/credentials";
    keys(report, pointer, &section.credentials);
    texts(report, pointer, &section.credentials);
    // https://servicebinding.io/spec/core/1.1.0/#provisioned-service: `type` must, `provider` should be there.
    for key in ["type", "provider"].into_iter().filter(|key| !section.credentials.contains_key(*key)) {
        report.at_key(pointer, format!("`{key}` is missing: it says to applications what this is, or who provides it"));
    }
    for (name, style) in &section.styles {
        let pointer = join("/binding/styles", name);
        if name == CANONICAL {
            report.at_key(&pointer, "the canonical form is `credentials` itself");
        }
        keys(report, &pointer, style);
    }
    let chooser = report.revision.binding.as_ref().map(|binding| binding.style_parameter.as_str()).unwrap_or_default();
    if section.styles.is_empty() {
        if section.style_parameter.is_some() {
            report.at_key("/binding/style_parameter", "there are no `styles` to choose from");
        }
    } else if let Some(options) = offering.bind_parameters.get(chooser).map(|parameter| parameter.schema.get("enum")) {
        let known = |option: &Value| option.as_str().is_some_and(|o| o == CANONICAL || section.styles.contains_key(o));
        if !options.and_then(Value::as_array).is_some_and(|options| options.iter().all(known)) {
            let message = format!("must have an `enum` of {CANONICAL} and names of `styles`; leave it out to get that");
            report.at(&format!("/bind_parameters/{chooser}"), message);
        }
    }
    for (index, endpoint) in section.endpoints.iter().enumerate() {
        let pointer = format!("/binding/endpoints/{index}");
        if endpoint.ports.is_empty() {
            report.at(&format!("{pointer}/ports"), "an endpoint has at least one port");
        }
        if endpoint.protocol.as_deref().is_some_and(|protocol| !["tcp", "udp", "all"].contains(&protocol)) {
            report.at(&format!("{pointer}/protocol"), "must be one of tcp, udp, all");
        }
    }
}

/// Keys of a Secret: `[-._a-zA-Z0-9]+`, 253 at most (Kubernetes: `IsConfigMapKey`).
fn keys(report: &mut Report<'_>, pointer: &str, map: &Map<String, Value>) {
    for key in map.keys().filter(|key| *key != MERGE) {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if key.is_empty() || key.len() > 253 || !key.bytes().all(legal) {
            report.at_key(
                &join(pointer, key),
                "is no key of a Kubernetes Secret: letters, digits, `-`, `.`, `_`, 253 at most",
            );
        }
    }
}

/// Values that are certainly not texts.
fn texts(report: &mut Report<'_>, pointer: &str, map: &Map<String, Value>) {
    for (key, value) in map.iter().filter(|(key, _)| *key != MERGE) {
        if value.is_array() || value.is_object() || value.is_null() {
            report.at(&join(pointer, key), "must be a text; use `| json` for a list or a map");
        }
    }
}
