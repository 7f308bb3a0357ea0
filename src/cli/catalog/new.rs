//! `chandlery catalog new`: a starter made from what a kind says about itself. It passes the check as it is.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value};

use crate::catalog::{NAME, is_name, is_word, sample};
use crate::driver::{Kind, REFERENCE, Registry};

use super::kinds::unknown;

/// What a parameter takes over from the schema of the property that it sets.
const KEYWORDS: &[&str] =
    &["type", "enum", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern", "description"];

/// Properties that stand in the name as well, by kind: its schema cannot say so.
const SUFFIXES: &[(&str, &str, &str)] = &[("sqs/queue", "fifo", ".fifo")];

/// Writes `NAME.yaml` for an offering of that kind (else of the first that this build has) into a directory.
pub fn new(
    directory: &Path,
    name: &str,
    kind: Option<&str>,
    registry: &Registry,
    out: &mut impl Write,
) -> io::Result<bool> {
    // Before it becomes the name of a file.
    if !is_name(name) {
        writeln!(out, "the name {name:?} {NAME}")?;
        return Ok(false);
    }
    let found = match kind {
        Some(kind) => registry.kind(kind),
        None => {
            ["s3/bucket", "sqs/queue"].iter().find_map(|kind| registry.kind(kind)).or_else(|| registry.kinds().next())
        }
    };
    let Some(found) = found else {
        unknown(registry, kind.unwrap_or_default(), out)?;
        return Ok(false);
    };
    let path = directory.join(format!("{name}.yaml"));
    match std::fs::File::create_new(&path) {
        Ok(mut file) => file.write_all(starter(name, found).as_bytes())?,
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::AlreadyExists => "is there already; remove it or choose another name".to_owned(),
                io::ErrorKind::NotFound => "cannot be written: its directory does not exist".to_owned(),
                _ => format!("cannot be written: {error}"),
            };
            writeln!(out, "{} {why}", path.display())?;
            return Ok(false);
        }
    }
    writeln!(out, "wrote {}; now edit it, then: chandlery catalog check", path.display())?;
    Ok(true)
}

fn starter(name: &str, kind: &Kind) -> String {
    let id = uuid::Uuid::new_v4;
    let properties = kind.schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> =
        kind.schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut parameters = String::new();
    let mut desired = String::new();
    for (property, schema) in properties.into_iter().flatten() {
        let must = required.contains(&property.as_str());
        match parameter(property, schema, must, kind) {
            Some(parameter) => {
                let _ = writeln!(parameters, "  {property}: {parameter}");
                let _ = writeln!(desired, "    {property}: ${{{{ params.{property} }}}}");
            }
            None => {
                let description = schema.get("description").and_then(Value::as_str).unwrap_or("see the kind");
                let (comment, value) = match schema.as_object().and_then(sample).filter(|_| must) {
                    Some(value) => ("", value.to_string()),
                    None => ("# ", "…".to_owned()),
                };
                let _ = writeln!(desired, "    {comment}{property}: {value} # {}", description.replace('\n', " "));
            }
        }
    }
    let mut credentials = String::new();
    for output in kind.outputs {
        let _ = match output.name {
            "credentials" => writeln!(credentials, "    $merge: ${{{{ main.credentials }}}}"),
            "type" | "provider" | "region" => Ok(()),
            output => writeln!(credentials, "    {output}: ${{{{ main.{output} }}}}"),
        };
    }
    let parameters = if parameters.is_empty() { "  {}\n".to_owned() } else { parameters };
    format!(
        r#"# yaml-language-server: $schema=catalog.schema.json
#
# The reference of this format, and of what stands between ${{{{ and }}}}: docs/CATALOG.md

# Ids are released once and keep their meaning for ever. These two are new.
id: {}
name: {name}
description: {} # one line: what is it?
tags: []
metadata:
  displayName: {name}
  # longDescription, documentationUrl, supportUrl, providerDisplayName, imageUrl

plans:
  - id: {}
    name: standard
    description: The only plan so far # one line: what sets it apart?
    free: false
    # fixed: {{ … }}        values that a user cannot set, `plan.NAME` in expressions
    # defaults: {{ … }}     the plan's own defaults of parameters
    # change_to: [other]  the plans an instance may change to

# What a user may set: JSON Schema (draft-04) of each, and `updatable`, `required`, `secret`, `reference` of ours.
parameters:
{parameters}
# What a schema cannot say.
rules: []
#  - assert: ${{{{ params.a or not params.b }}}}
#    parameter: b
#    message: b needs a.

# What an instance is made of. Resources that mention each other's outputs are made in that order.
resources:
  main:
    kind: {}
    name: {} # must carry the slug
{desired}
# What a binding hands out, as it lands in a Kubernetes Secret.
binding:
  # resources: an identity of its own, …
  credentials:
    type: {name}
    provider: aws
    region: ${{{{ target.region }}}}
{credentials}"#,
        id(),
        quoted(kind.summary),
        id(),
        kind.name,
        resource_name(kind),
    )
}

/// The name of the resource, with the suffixes that a user's choice asks for.
fn resource_name(kind: &Kind) -> String {
    let own = SUFFIXES.iter().filter(|(of, ..)| *of == kind.name);
    let suffixes: String =
        own.map(|(_, property, suffix)| format!("${{{{ '{suffix}' if params.{property} else '' }}}}")).collect();
    quoted(&format!("${{{{ instance.slug }}}}{suffixes}"))
}

/// A parameter for a property of a simple type.
fn parameter(property: &str, schema: &Value, required: bool, kind: &Kind) -> Option<String> {
    let simple =
        matches!(schema.get("type").and_then(Value::as_str), Some("string" | "integer" | "number" | "boolean"));
    if !simple || !is_word(property) || property == "target" || schema.get("x-iam-pattern").is_some() {
        return None;
    }
    let mut parameter: Map<String, Value> = schema
        .as_object()?
        .iter()
        .filter(|(keyword, _)| KEYWORDS.contains(&keyword.as_str()))
        .map(|(keyword, value)| (keyword.clone(), value.clone()))
        .collect();
    if kind.mutable.contains(&property) {
        parameter.insert("updatable".to_owned(), true.into());
    }
    if required {
        parameter.insert("required".to_owned(), true.into());
    }
    if let Some(sort) = schema.get(REFERENCE) {
        parameter.insert("reference".to_owned(), sort.clone());
    }
    // Values in JSON, which is YAML.
    let first = |(keyword, _): &(&String, &Value)| u8::from(*keyword != "type");
    let mut entries: Vec<(&String, &Value)> = parameter.iter().collect();
    entries.sort_by_key(first);
    let entries: Vec<String> = entries.into_iter().map(|(keyword, value)| format!("{keyword}: {value}")).collect();
    Some(format!("{{ {} }}", entries.join(", ")))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
