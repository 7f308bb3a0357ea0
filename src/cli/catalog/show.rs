//! `chandlery catalog show`: an offering as a person wants to read it, or as platforms get it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Parameter, Plan, Revision, phrase, plain};
use crate::driver::Registry;
use crate::osb;

use super::offerings;

/// Shows one offering, or all; with `plan`, what that plan leaves to choose; with `json`, the OSB catalog instead.
pub fn show(
    directory: &Path,
    registry: &Registry,
    name: Option<&str>,
    plan: Option<&str>,
    json: bool,
    out: &mut impl Write,
) -> io::Result<bool> {
    // What is read by a program holds nothing but JSON.
    let (mut all, sound) = match json {
        true => offerings(directory, registry, &mut io::sink())?,
        false => offerings(directory, registry, out)?,
    };
    let provided = provided(&all);
    if let Some(name) = name {
        all.retain(|revision| revision.name() == name);
        if all.is_empty() {
            writeln!(out, "there is no sound offering {name} in {}", directory.display())?;
            return Ok(false);
        }
    }
    if let Some(plan) = plan
        && let Some(without) = all.iter().find(|revision| revision.plan_named(plan).is_none())
    {
        writeln!(out, "{} has no plan {plan}", without.name())?;
        return Ok(false);
    }
    if json {
        let mut catalog = osb::Catalog { services: all.iter().map(|revision| revision.served()).collect() };
        for service in &mut catalog.services {
            service.plans.retain(|served| plan.is_none_or(|plan| served.name == plan));
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&catalog)?)?;
        return Ok(sound);
    }
    for (index, revision) in all.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        offering(revision, plan.and_then(|plan| revision.plan_named(plan)), &provided, out)?;
    }
    Ok(sound || name.is_some())
}

fn offering(revision: &Revision, chosen: Option<&Plan>, provided: &Provided, out: &mut impl Write) -> io::Result<()> {
    let file = revision.offering();
    writeln!(out, "{}: {}", revision.name(), file.description)?;
    writeln!(out, "  id {}{}", revision.service_id(), if revision.bindable() { ", bindable" } else { "" })?;
    writeln!(out, "  revision {}", revision.digest.get(..12).unwrap_or(&revision.digest))?;

    writeln!(out, "\nPlans")?;
    for plan in revision.plans().iter().filter(|plan| chosen.is_none_or(|chosen| chosen.id() == plan.id())) {
        let document = plan.document();
        writeln!(out, "  {}: {}", plan.name(), document.description)?;
        let free = if document.free { ", free" } else { "" };
        let minutes = revision.maximum_polling_duration(plan).as_secs().div_ceil(60);
        writeln!(out, "    id {}{free}, operations end within {minutes} min", plan.id())?;
        for (name, value) in &document.fixed {
            writeln!(out, "    {name} is {}", plain(value))?;
        }
        for (name, value) in &document.defaults {
            writeln!(out, "    {name} defaults to {}", plain(value))?;
        }
        if !document.change_to.is_empty() {
            writeln!(out, "    can change to {}", document.change_to.join(", "))?;
        }
        if let Some(maintenance) = &document.maintenance {
            writeln!(out, "    version {}", maintenance.version)?;
            if let Some(parameter) = &maintenance.parameter {
                let steps: Vec<String> = maintenance.steps.iter().map(|step| plain(&step.value)).collect();
                writeln!(out, "    {parameter} goes {}", steps.join(" → "))?;
            }
        }
    }

    let fixed = |name: &str| chosen.is_some_and(|plan| plan.document().fixed.contains_key(name));
    let settable = file.parameters.iter().filter(|(name, _)| !fixed(name));
    parameters("Parameters", settable, chosen, provided, out)?;
    parameters("Bind parameters", file.bind_parameters.iter(), None, provided, out)?;

    writeln!(out, "\nResources")?;
    for (name, resource) in &file.resources {
        writeln!(
            out,
            "  {name}: {}{}",
            resource.kind,
            if resource.for_each.is_some() { ", one for each entry" } else { "" }
        )?;
    }
    if let Some(binding) = &file.binding {
        for (name, resource) in &binding.resources {
            writeln!(out, "  {name}: {}, for each binding", resource.kind)?;
        }
        writeln!(out, "\nCredentials")?;
        for (name, value) in &binding.credentials {
            match name.as_str() {
                "$merge" => writeln!(out, "  all of {}", plain(value))?,
                name => writeln!(out, "  {name}: {}", plain(value))?,
            }
        }
        if !binding.styles.is_empty() {
            let styles: Vec<&str> = binding.styles.keys().map(String::as_str).collect();
            writeln!(out, "  other styles: {}", styles.join(", "))?;
        }
    }
    Ok(())
}

fn parameters<'p>(
    title: &str,
    declared: impl Iterator<Item = (&'p String, &'p Parameter)>,
    plan: Option<&Plan>,
    provided: &Provided,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut declared = declared.peekable();
    if declared.peek().is_some() {
        writeln!(out, "\n{title}")?;
    }
    for (name, parameter) in declared {
        writeln!(out, "  {name}: {}", constraints(name, parameter, plan, provided))?;
        if let Some(description) = parameter.schema.get("description").and_then(|d| d.as_str()) {
            writeln!(out, "    {description}")?;
        }
    }
    Ok(())
}

/// The sorts of things that instances of these offerings provide to each other.
pub(super) type Provided = BTreeSet<String>;

pub(super) fn provided(offerings: &[Arc<Revision>]) -> Provided {
    offerings.iter().flat_map(|revision| revision.offering().instance.provides.keys().cloned()).collect()
}

/// `an integer from 60 to 99; default 70; can be updated`.
pub(super) fn constraints(name: &str, parameter: &Parameter, plan: Option<&Plan>, provided: &Provided) -> String {
    let mut words = vec![phrase(&parameter.schema.clone().into())];
    let default = plan.and_then(|plan| plan.document().defaults.get(name)).or_else(|| parameter.schema.get("default"));
    if let Some(default) = default {
        words.push(format!("default {}", if default == "" { "empty".to_owned() } else { plain(default) }));
    }
    if let Some(reference) = &parameter.reference {
        let own =
            if provided.contains(reference) { ", or an instance of yours that provides one, by its id" } else { "" };
        words.push(format!("names a {reference} that the administrator allows{own}"));
    }
    for (said, word) in
        [(parameter.required, "required"), (parameter.secret, "secret"), (parameter.updatable, "can be updated")]
    {
        if said {
            words.push(word.to_owned());
        }
    }
    words.join("; ")
}
