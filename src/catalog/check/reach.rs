//! What may change reaches only what can change: an updatable parameter, or a value that differs between two plans of
//! `change_to`, in a property that its kind cannot change in place would fail every update, so it is refused here.

use std::collections::BTreeSet;

use super::super::analysis::Path;
use super::super::compiled::Compiled;
use super::super::scope::Scope;
use super::super::tree::Tree;
use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    let revision = report.revision;
    let declared = &revision.parameters.declared;
    let updatable: BTreeSet<&str> =
        declared.iter().filter(|(_, p)| p.updatable).map(|(name, _)| name.as_str()).collect();
    let changes = |path: &Path, scope: Scope| {
        let name = parameter(path, scope)?;
        updatable.contains(name).then(|| (format!("/parameters/{name}"), format!("`{path}` is updatable")))
    };
    find(report, &changes);

    for (index, from) in revision.plans().iter().enumerate() {
        for (place, to) in from.document().change_to.iter().enumerate() {
            let Some(to) = revision.plan_named(to) else { continue };
            let differs = |path: &Path, scope: Scope| {
                let of_plan = if path.root() == "plan" { path.get(1) } else { None };
                let name = of_plan.or_else(|| parameter(path, scope).filter(|name| !updatable.contains(name)))?;
                // A parameter that only one of them fixes may well have the same value; what the request finds then counts.
                let (old, new) = (from.names().get(name)?, to.names().get(name)?);
                let pointer = format!("/plans/{index}/change_to/{place}");
                (old != new).then(|| (pointer, format!("`{path}` differs in the plan {}", to.name())))
            };
            find(report, &differs);
        }
    }
}

/// The instance's parameter that is mentioned.
fn parameter(path: &Path, scope: Scope) -> Option<&str> {
    match (path.root(), scope) {
        ("params", Scope::Instance) => path.get(1),
        ("instance", Scope::Binding) if path.get(1) == Some("params") => path.get(2),
        _ => None,
    }
}

type Change<'c> = dyn Fn(&Path, Scope) -> Option<(String, String)> + 'c;

fn find(report: &mut Report<'_>, changes: &Change<'_>) {
    let revision = report.revision;
    for (name, resource) in &revision.resources {
        let Some(kind) = report.registry.kind(&resource.kind) else { continue };
        let first = |tree: &Tree| tree.names().iter().find_map(|path| changes(path, resource.scope));
        if let Some((pointer, why)) = first(&resource.name) {
            report.at(&pointer, format!("{why} and is part of the name of `{name}`, which cannot change"));
        }
        for (key, tree) in properties(resource) {
            if kind.mutable.contains(&key) {
                continue;
            }
            // The entries of `for_each` come and go as rows; what changes in one is its value.
            let of_entry = tree.names().iter().any(|path| path.root() == "each" && path.get(1) == Some("value"));
            let through_entry = resource.for_each.as_ref().filter(|_| of_entry).and_then(first);
            if let Some((pointer, why)) = first(tree).or(through_entry) {
                let kind = kind.name;
                report.at(&pointer, format!("{why} and reaches {name}.{key}, which {kind} cannot change in place"));
            }
        }
    }
}

fn properties(resource: &Compiled) -> impl Iterator<Item = (&str, &Tree)> {
    let entries = match &resource.properties {
        Tree::Map { entries, .. } => entries.as_slice(),
        _ => &[],
    };
    entries.iter().map(|(key, tree)| (key.as_str(), tree))
}
