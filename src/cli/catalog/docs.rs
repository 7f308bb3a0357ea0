//! `chandlery catalog docs`: the offerings as Markdown, for the people who order them.

use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use crate::catalog::{Parameter, Revision, plain};
use crate::driver::Registry;

use super::offerings;
use super::show::{Provided, constraints, provided};

/// Writes a page for each offering, one after the other.
pub fn docs(directory: &Path, registry: &Registry, out: &mut impl Write) -> io::Result<bool> {
    let (all, sound) = offerings(directory, registry, out)?;
    let provided = provided(&all);
    for (index, revision) in all.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        page(revision, registry, &provided, out)?;
    }
    Ok(sound)
}

/// The page of one offering.
fn page(revision: &Revision, registry: &Registry, provided: &Provided, out: &mut impl Write) -> io::Result<()> {
    let file = revision.offering();
    let text = |key: &str| file.metadata.get(key).and_then(Value::as_str);
    writeln!(out, "# {}\n", text("displayName").unwrap_or(revision.name()))?;
    writeln!(out, "`{}`: {}\n", revision.name(), text("longDescription").unwrap_or(&file.description).trim())?;
    for (key, title) in [("documentationUrl", "Documentation"), ("supportUrl", "Support")] {
        if let Some(url) = text(key) {
            writeln!(out, "- {title}: <{url}>")?;
        }
    }

    writeln!(out, "\n## Plans\n\n| plan | what it is | fixed | can change to |\n|---|---|---|---|")?;
    for plan in revision.plans() {
        let document = plan.document();
        let fixed: Vec<String> =
            document.fixed.iter().map(|(name, value)| format!("`{name}`: {}", cell(&plain(value)))).collect();
        let (description, change_to) = (cell(&document.description), document.change_to.join(", "));
        writeln!(out, "| `{}` | {description} | {} | {change_to} |", plan.name(), fixed.join(", "))?;
    }

    parameters("Parameters", file.parameters.iter(), provided, out)?;
    for plan in revision.plans().iter().filter(|plan| !plan.document().defaults.is_empty()) {
        let defaults = plan.document().defaults.iter().map(|(name, value)| format!("`{name}` {}", plain(value)));
        writeln!(out, "\nDefaults of the plan `{}`: {}.", plan.name(), defaults.collect::<Vec<_>>().join(", "))?;
    }
    if !file.rules.is_empty() {
        writeln!(out, "\nRules:\n")?;
        file.rules.iter().try_for_each(|rule| writeln!(out, "- {}", rule.message))?;
    }

    writeln!(out, "\n## What it makes\n\n| resource | kind | |\n|---|---|---|")?;
    let of_binding = file.binding.iter().flat_map(|binding| &binding.resources);
    let all = file.resources.iter().map(|r| (r, "")).chain(of_binding.map(|r| (r, " (for each binding)")));
    for ((name, resource), of_binding) in all {
        let summary = registry.kind(&resource.kind).map_or("", |kind| kind.summary);
        writeln!(out, "| `{name}`{of_binding} | `{}` | {} |", resource.kind, cell(summary))?;
    }

    let Some(binding) = &file.binding else { return Ok(()) };
    writeln!(out, "\n## Binding")?;
    parameters("Bind parameters", file.bind_parameters.iter(), provided, out)?;
    if !file.bind_rules.is_empty() {
        writeln!(out, "\nRules:\n")?;
        file.bind_rules.iter().try_for_each(|rule| writeln!(out, "- {}", rule.message))?;
    }
    let own: Vec<String> =
        binding.credentials.keys().filter(|key| *key != "$merge").map(|key| format!("`{key}`")).collect();
    let merged = if binding.credentials.contains_key("$merge") { ", and those of the identity" } else { "" };
    writeln!(out, "\nCredentials: {}{merged}.", own.join(", "))?;
    for (name, style) in &binding.styles {
        let keys: Vec<String> = style.keys().filter(|key| *key != "$merge").map(|key| format!("`{key}`")).collect();
        writeln!(out, "\nIn the style `{name}`: {}.", keys.join(", "))?;
    }
    Ok(())
}

fn parameters<'p>(
    title: &str,
    declared: impl Iterator<Item = (&'p String, &'p Parameter)>,
    provided: &Provided,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut declared = declared.peekable();
    if declared.peek().is_some() {
        writeln!(
            out,
            "\n{}# {title}\n\n| parameter | what it may be | |\n|---|---|---|",
            if title == "Parameters" { "#" } else { "##" }
        )?;
    }
    for (name, parameter) in declared {
        let description = parameter.schema.get("description").and_then(Value::as_str).unwrap_or_default();
        writeln!(
            out,
            "| `{name}` | {} | {} |",
            cell(&constraints(name, parameter, None, provided)),
            cell(description)
        )?;
    }
    Ok(())
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
