//! The versions of plans: semantic, in order, each a value that the parameter may have.

use semver::Version;
use serde_json::{Map, Value};

use super::super::document::Maintenance;
use super::super::parameters::unknown_parameter;
use super::super::plan::Plan;
use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let revision = report.revision;
    for (index, plan) in revision.plans().iter().enumerate() {
        let Some(maintenance) = &plan.document().maintenance else { continue };
        let pointer = format!("/plans/{index}/maintenance");
        version(report, &format!("{pointer}/version"), &maintenance.version);
        match &maintenance.parameter {
            Some(name) => ladder(report, &pointer, plan, maintenance, name),
            None if maintenance.steps.is_empty() => {}
            None => report.at_key(&format!("{pointer}/steps"), "steps need the `parameter` that says which one it is"),
        }
    }
}

fn version(report: &mut Report<'_>, pointer: &str, text: &str) -> Option<Version> {
    Version::parse(text).map_err(|error| report.at(pointer, format!("is not a semantic version: {error}"))).ok()
}

fn ladder(report: &mut Report<'_>, pointer: &str, plan: &Plan, maintenance: &Maintenance, name: &str) {
    let at = format!("{pointer}/parameter");
    let Some(parameter) = report.revision.offering().parameters.get(name) else {
        let unknown = unknown_parameter(name, &report.revision.parameters);
        return report.at(&at, unknown);
    };
    if !parameter.updatable {
        report.at(&at, format!("`{name}` must be `updatable`: an upgrade changes it"));
    }
    if parameter.secret {
        report.at(&at, format!("`{name}` is secret, and a version is shown"));
    }
    if parameter.reference.is_some() {
        report.at(&at, format!("`{name}` is a reference, and a version is a plain value"));
    }
    if plan.document().fixed.contains_key(name) {
        report.at(&at, format!("the plan fixes `{name}`, so no upgrade could change it"));
    }
    let default = plan.document().defaults.get(name).or_else(|| parameter.schema.get("default"));
    if let Some(default) = default
        && !maintenance.steps.iter().any(|step| step.value == *default)
    {
        report.at(&at, format!("the default of `{name}` is none of the steps"));
    } else if default.is_none() && !parameter.required {
        report.at(&at, format!("`{name}` needs a default, or every user has to choose: `required: true`"));
    }
    steps(report, pointer, maintenance, name);
}

fn steps(report: &mut Report<'_>, pointer: &str, maintenance: &Maintenance, name: &str) {
    let mut before: Option<Version> = None;
    for (index, step) in maintenance.steps.iter().enumerate() {
        let at = format!("{pointer}/steps/{index}");
        let parsed = version(report, &format!("{at}/version"), &step.version);
        if let (Some(before), Some(after)) = (&before, &parsed)
            && before >= after
        {
            report.at(&format!("{at}/version"), format!("is not newer than {before}: the oldest comes first"));
        }
        before = parsed.or(before);
        let value = Value::Object(Map::from_iter([(name.to_owned(), step.value.clone())]));
        for violation in report.revision.parameters.values.violations(&value) {
            report.at(&format!("{at}/value"), format!("as {name}: {}", violation.message));
        }
        if maintenance.steps.iter().take(index).any(|other| other.value == step.value) {
            report.at(&format!("{at}/value"), "another step has this value already");
        }
    }
    match maintenance.steps.last() {
        None => report.at(pointer, "`parameter` needs `steps`: every version that an instance may be at, oldest first"),
        Some(last) if last.version != maintenance.version => {
            report.at(&format!("{pointer}/version"), format!("must be the last step's, {}", last.version));
        }
        Some(_) => {}
    }
}
