//! `chandlery catalog kinds`: what resources can be made of, for people who write offerings. It is all from the drivers' own
//! schemas, so it is what this build takes.

use std::io::{self, Write};

use serde_json::Value;

use crate::catalog::{phrase, plain};
use crate::driver::{Kind, REFERENCE, Registry};

/// Lists the kinds, or tells all about one.
pub fn kinds(registry: &Registry, name: Option<&str>, out: &mut impl Write) -> io::Result<bool> {
    let Some(name) = name else {
        for kind in registry.kinds() {
            writeln!(out, "{}: {}", kind.name, kind.summary)?;
        }
        return Ok(true);
    };
    match registry.kind(name) {
        Some(kind) => page(kind, out).map(|()| true),
        None => unknown(registry, name, out).map(|()| false),
    }
}

/// Says that there is no such kind, and which there are.
pub(super) fn unknown(registry: &Registry, name: &str, out: &mut impl Write) -> io::Result<()> {
    let known: Vec<&str> = registry.kinds().map(|kind| kind.name).collect();
    writeln!(out, "there is no kind {name}; known: {}", known.join(", "))
}

fn page(kind: &Kind, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}", kind.name, kind.summary)?;
    writeln!(
        out,
        "  usually ready within {} s, gone within {} s",
        kind.usual_create.as_secs(),
        kind.usual_delete.as_secs()
    )?;
    let (length, extra) = (kind.naming.max_length, kind.naming.extra);
    let over_all = if kind.naming.global { ", unique over all of AWS" } else { "" };
    writeln!(out, "  names of at most {length} characters of a-z, 0-9 and `{extra}`{over_all}")?;

    writeln!(out, "\nProperties")?;
    properties(&kind.schema, "", Some(kind.mutable), out)?;
    writeln!(out, "\nOutputs")?;
    for output in kind.outputs {
        let secret = if output.secret { "secret; " } else { "" };
        writeln!(out, "  {}: {secret}{}", output.name, output.description)?;
    }
    Ok(())
}

/// The properties of an object, and under each those of the objects in it. Only the outermost change or do not.
fn properties(schema: &Value, indent: &str, mutable: Option<&[&str]>, out: &mut impl Write) -> io::Result<()> {
    let names = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let mut words = vec![phrase(property)];
        if let Some(default) = property.get("default") {
            words.push(format!("default {}", plain(default)));
        }
        if names("required").any(|required| required == name) {
            words.push("required".to_owned());
        }
        if let Some(sort) = property.get(REFERENCE) {
            words.push(format!("from users only through a parameter with `reference: {}`", plain(sort)));
        }
        if mutable.is_some_and(|mutable| !mutable.contains(&name.as_str())) {
            words.push("cannot change later".to_owned());
        }
        writeln!(out, "  {indent}{name}: {}", words.join("; "))?;
        if let Some(description) = property.get("description").and_then(Value::as_str) {
            writeln!(out, "  {indent}  {description}")?;
        }
        let inner = property.get("items").unwrap_or(property);
        properties(inner, &format!("{indent}  "), None, out)?;
    }
    Ok(())
}
