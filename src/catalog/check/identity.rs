//! Ids, names and texts of the offering and its plans (osb-requirements C2 to C7, C13).

use std::collections::BTreeMap;

use super::super::words::did_you_mean;
use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let offering = report.revision.offering();
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    identified(report, "", &offering.id, &offering.name, &offering.description);
    ids.insert(&offering.id, "the offering".to_owned());

    for (index, plan) in offering.plans.iter().enumerate() {
        let pointer = format!("/plans/{index}");
        identified(report, &pointer, &plan.id, &plan.name, &plan.description);
        if let Some(first) = ids.insert(&plan.id, format!("the plan {}", plan.name)) {
            report.at(&format!("{pointer}/id"), format!("{first} has this id already"));
        }
        if names.insert(&plan.name, pointer.clone()).is_some() {
            report.at(&format!("{pointer}/name"), "another plan has this name already");
        }
        for (place, to) in plan.change_to.iter().enumerate() {
            let pointer = format!("{pointer}/change_to/{place}");
            if *to == plan.name {
                report.at(&pointer, "a plan cannot change to itself");
            } else if !offering.plans.iter().any(|other| other.name == *to) {
                let hint = did_you_mean(to, offering.plans.iter().map(|plan| plan.name.as_str()));
                report.at(&pointer, format!("there is no plan `{to}`{hint}"));
            }
        }
    }

    match (offering.bindable, &offering.binding) {
        (Some(true), None) => report.at("/bindable", "a bindable offering needs a `binding` section"),
        (Some(false), Some(_)) => report.at("/bindable", "an offering with a `binding` section is bindable"),
        _ => {}
    }
    if offering.binding.is_none() {
        if !offering.bind_parameters.is_empty() {
            report.at_key("/bind_parameters", "there is no `binding` section to use them");
        }
        if !offering.bind_rules.is_empty() {
            report.at_key("/bind_rules", "there is no `binding` section to check");
        }
    }
    if offering.resources.is_empty() {
        report.at_key("/resources", "an offering needs at least one resource");
    }
}

fn identified(report: &mut Report<'_>, pointer: &str, id: &str, name: &str, description: &str) {
    if !is_guid(id) {
        report.at(&format!("{pointer}/id"), "must be a GUID, such as `uuidgen` prints");
    }
    if !is_name(name) {
        report.at(&format!("{pointer}/name"), NAME);
    }
    if description.trim().is_empty() {
        report.at(&format!("{pointer}/description"), "must say something");
    } else if description.chars().count() > 255 {
        report.at(
            &format!("{pointer}/description"),
            "must be one line of at most 255 characters; use metadata.longDescription",
        );
    }
}

fn is_guid(text: &str) -> bool {
    let digits = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    };
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| digits(part, length))
}

/// What [`is_name`] wants, as the end of a sentence.
pub const NAME: &str =
    "must be of letters, digits, `.` and `-`, beginning and ending with a letter or digit, 1 to 63 of them";

/// Whether an offering or a plan may be called that: friendly to command lines, and a Kubernetes name in lower case.
pub fn is_name(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.len() <= 63
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}
