//! Parameters: their schemas are draft-04 that drafts 6 and 7 read in the same way, self-contained and small; values that
//! the file sets satisfy them.

use std::collections::BTreeMap;

use jsonschema::Draft;
use serde_json::{Map, Value};

use super::super::document::Parameter;
use super::super::parameters::unknown_parameter;
use super::super::schema::{Verb, closed};
use super::super::validator::Validator;
use super::super::words::did_you_mean;
use super::Report;
use crate::yaml::{dotted, join};

/// What draft-04, 6 and 7 understand alike. `exclusiveMinimum` changed its type, `const`, `if` and `contains` came later,
/// `$ref` could lead outside, `id` and `definitions` make sense with it only.
const KEYWORDS: &[&str] = &[
    "title",
    "description",
    "default",
    "type",
    "enum",
    "multipleOf",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "items",
    "additionalItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];

/// 64 kB (spec: "Input Parameters Schema Object").
const LARGEST: usize = 64 * 1024;

pub(super) fn check(report: &mut Report<'_>) {
    let offering = report.revision.offering();
    declared(report, "/parameters", &offering.parameters);
    declared(report, "/bind_parameters", &offering.bind_parameters);
    if offering.parameters.contains_key("target") {
        report.at_key("/parameters/target", "`target` is the administrator's to offer; choose another name");
    }

    for (index, plan) in report.revision.plans().iter().enumerate() {
        let pointer = format!("/plans/{index}");
        let document = plan.document();
        for name in document.fixed.keys().filter(|name| !is_word(name)) {
            report.at_key(&join(&format!("{pointer}/fixed"), name), WORD);
        }
        for name in ["id", "name"].into_iter().filter(|name| document.fixed.contains_key(*name)) {
            report.at_key(&format!("{pointer}/fixed/{name}"), format!("`plan.{name}` is the plan's own {name}"));
        }
        for name in document.defaults.keys() {
            let at = join(&format!("{pointer}/defaults"), name);
            if !offering.parameters.contains_key(name) {
                report.at_key(&at, unknown_parameter(name, &report.revision.parameters));
            } else if document.fixed.contains_key(name) {
                report.at_key(&at, "the plan fixes it already");
            }
        }
        for (key, values) in [("fixed", &document.fixed), ("defaults", &document.defaults)] {
            for violation in report.revision.parameters.values.violations(&Value::Object(values.clone())) {
                report.at(&format!("{pointer}/{key}{}", violation.pointer), violation.message);
            }
        }
        for verb in [Verb::Create, Verb::Update, Verb::Bind] {
            let declared = if verb == Verb::Bind { &offering.bind_parameters } else { &offering.parameters };
            let size = closed(declared, document, verb).to_string().len();
            if size > LARGEST {
                report.at(&pointer, format!("the {verb:?} schema has {size} bytes; platforms take {LARGEST}"));
            }
        }
    }
    let rules = [
        ("/rules", &offering.rules, &report.revision.parameters),
        ("/bind_rules", &offering.bind_rules, &report.revision.bind_parameters),
    ];
    for (pointer, rules, set) in rules {
        for (index, rule) in rules.iter().enumerate() {
            if let Some(name) = rule.parameter.as_ref().filter(|name| !set.declared.contains_key(*name)) {
                report.at(&format!("{pointer}/{index}/parameter"), unknown_parameter(name, set));
            }
            if !rule.assert.trim_start().starts_with("${{") {
                report.at(&format!("{pointer}/{index}/assert"), "must be one `${{ expression }}`");
            }
        }
    }
}

const WORD: &str = "must be a word of letters, digits and `_` that expressions can name, and none of their keywords";

/// Whether expressions can name it.
pub fn is_word(name: &str) -> bool {
    const KEYWORDS: &[&str] =
        &["and", "else", "false", "False", "if", "in", "is", "none", "None", "not", "or", "true", "True"];
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&name)
}

fn declared(report: &mut Report<'_>, section: &str, parameters: &BTreeMap<String, Parameter>) {
    for (name, parameter) in parameters {
        let pointer = join(section, name);
        if !is_word(name) {
            report.at_key(&pointer, WORD);
        }
        let before = report.problems.len();
        vocabulary(report, &pointer, &parameter.schema);
        let default = parameter.schema.get("default");
        if report.problems.len() == before {
            match Validator::compile(Value::Object(parameter.schema.clone()), Draft::Draft4) {
                Err(message) => report.at(&pointer, format!("is not a draft-04 schema: {message}")),
                Ok(validator) => defaults(report, &pointer, &validator, default),
            }
        }
        if !["type", "enum", "anyOf", "oneOf", "allOf"].iter().any(|keyword| parameter.schema.contains_key(*keyword)) {
            report.at(&pointer, "needs a `type`");
        }
        if parameter.required && default.is_some() {
            report.at(
                &format!("{pointer}/required"),
                "a required parameter has no default, or the default makes it optional",
            );
        }
        if parameter.secret && default.is_some() {
            report.at(&format!("{pointer}/default"), "a secret has no default: everybody would know it");
        }
        // A request's reference is looked up by its text, so anything else would pass unseen.
        if parameter.reference.is_some() && parameter.schema.get("type").is_none_or(|kind| kind != "string") {
            report.at(&format!("{pointer}/reference"), "a reference is a parameter of type string");
        }
    }
}

fn defaults(report: &mut Report<'_>, pointer: &str, validator: &Validator, default: Option<&Value>) {
    for violation in default.into_iter().flat_map(|default| validator.violations(default)) {
        report.at(&format!("{pointer}/default{}", violation.pointer), format!("the default {}", violation.message));
    }
}

/// The keywords of a schema and of the schemas inside.
fn vocabulary(report: &mut Report<'_>, pointer: &str, schema: &Map<String, Value>) {
    for (keyword, value) in schema {
        let at = join(pointer, keyword);
        if !KEYWORDS.contains(&keyword.as_str()) {
            let why = match keyword.as_str() {
                "$ref" | "definitions" | "id" => "; a schema must hold all it needs".to_owned(),
                "exclusiveMinimum" | "exclusiveMaximum" => {
                    "; drafts read it differently, use minimum and maximum".to_owned()
                }
                "const" => "; use an enum of one".to_owned(),
                _ => did_you_mean(keyword, KEYWORDS.iter().copied().chain(["updatable", "secret", "reference"])),
            };
            report.at_key(&at, format!("is not a keyword for parameters{why}"));
            continue;
        }
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(inner)) => {
                for (name, schema) in inner {
                    subschema(report, &join(&at, name), schema);
                }
            }
            ("items" | "not", value @ Value::Object(_)) => subschema(report, &at, value),
            ("additionalProperties" | "additionalItems", value) if !value.is_boolean() => subschema(report, &at, value),
            ("allOf" | "anyOf" | "oneOf", Value::Array(several)) => {
                for (index, schema) in several.iter().enumerate() {
                    subschema(report, &join(&at, &index.to_string()), schema);
                }
            }
            ("items", _) => report.at(&at, "must be one schema for every item"),
            ("required", Value::Array(names)) if names.is_empty() => report.at(&at, "draft-04 wants at least one name"),
            ("pattern", Value::String(pattern)) if unportable(pattern) => {
                report.at(&at, "look-around and back-references are not read alike everywhere");
            }
            _ => {}
        }
    }
}

fn subschema(report: &mut Report<'_>, pointer: &str, schema: &Value) {
    match schema.as_object() {
        Some(schema) => vocabulary(report, pointer, schema),
        None => {
            report.at(pointer, format!("{} must be a schema; drafts before 6 know no true and false", dotted(pointer)))
        }
    }
}

fn unportable(pattern: &str) -> bool {
    ["(?=", "(?!", "(?<"].iter().any(|part| pattern.contains(part))
}
