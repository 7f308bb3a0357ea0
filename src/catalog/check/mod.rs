//! What must hold of an offering beyond its structure: first what can be told by reading, then what every plan gives.

mod credentials;
mod identity;
mod maintenance;
mod names;
mod parameters;
mod plans;
mod reach;
mod resources;
mod samples;
#[cfg(test)]
mod tests;
mod trial;
mod user_text;
mod watch;

pub use identity::{NAME, is_name};
pub use parameters::is_word;
pub use samples::sample;

use crate::driver::Registry;

use super::expression::Expression;
use super::revision::Revision;
use crate::yaml::Located;
use crate::yaml::Problem;

/// A revision under examination.
struct Report<'r> {
    revision: &'r Revision,
    registry: &'r Registry,
    located: &'r Located,
    problems: &'r mut Vec<Problem>,
}

impl Report<'_> {
    fn at(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(self.located.problem(pointer, message));
    }

    fn at_key(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(self.located.key_problem(pointer, message));
    }
}

/// Everything that can be told without evaluating anything.
pub(super) fn facts(revision: &Revision, registry: &Registry, located: &Located, problems: &mut Vec<Problem>) {
    let mut report = Report { revision, registry, located, problems };
    identity::check(&mut report);
    maintenance::check(&mut report);
    parameters::check(&mut report);
    names::check(&mut report);
    resources::check(&mut report);
    reach::check(&mut report);
    credentials::check(&mut report);
}

/// Every plan, evaluated with its defaults and with each parameter varied.
pub(super) fn plans(revision: &Revision, registry: &Registry, located: &Located, problems: &mut Vec<Problem>) {
    plans::check(&mut Report { revision, registry, located, problems });
}

/// Every expression of the revision with where it stands and what it may see there.
fn every_expression<'r>(revision: &'r Revision, visit: &mut dyn FnMut(&str, &'r Expression, Place)) {
    use super::scope::Scope::{Binding, Instance};
    for resource in revision.resources.values() {
        let each = resource.for_each.is_some();
        for (key, tree) in resource.static_trees() {
            let place =
                Place { each: each && key != "for_each" && key != "when", ..Place::at(resource.scope, Sees::Static) };
            tree.expressions(&format!("{}/{key}", resource.pointer), &mut |p, e| visit(p, e, place));
        }
        let place = Place { each, secret: true, ..Place::at(resource.scope, Sees::Outputs) };
        resource.properties.expressions(&resource.pointer, &mut |p, e| visit(p, e, place));
    }
    for (rules, scope) in [(&revision.rules, Instance), (&revision.bind_rules, Binding)] {
        for rule in rules {
            let place = Place { secret: true, ..Place::at(scope, Sees::Parameters) };
            rule.assert.expressions(&format!("{}/assert", rule.pointer), &mut |p, e| visit(p, e, place));
            let place = Place::at(scope, Sees::Parameters);
            rule.message.expressions(&format!("{}/message", rule.pointer), &mut |p, e| visit(p, e, place));
        }
    }
    if let Some(tree) = &revision.dashboard_url {
        let place = Place::at(Instance, Sees::ResourceNames);
        tree.expressions("/instance/dashboard_url", &mut |p, e| visit(p, e, place));
    }
    let told = [
        ("labels", &revision.labels, Sees::ResourceNames),
        ("attributes", &revision.attributes, Sees::Outputs),
        ("provides", &revision.provides, Sees::Outputs),
    ];
    for (key, tree, sees) in told {
        tree.expressions(&format!("/instance/{key}"), &mut |p, e| visit(p, e, Place::at(Instance, sees)));
    }
    if let Some(binding) = &revision.binding {
        let place = Place { secret: true, ..Place::at(Binding, Sees::Outputs) };
        binding.credentials.expressions("/binding/credentials", &mut |p, e| visit(p, e, place));
        for (name, style) in &binding.styles {
            let place = Place { credentials: true, ..place };
            style.expressions(&format!("/binding/styles/{name}"), &mut |p, e| visit(p, e, place));
        }
        let place = Place::at(Binding, Sees::Outputs);
        binding.endpoints.expressions("/binding/endpoints", &mut |p, e| visit(p, e, place));
    }
}

/// What an expression may mention where it stands.
#[derive(Clone, Copy)]
struct Place {
    scope: super::scope::Scope,
    sees: Sees,
    each: bool,
    credentials: bool,
    /// A secret result is allowed.
    secret: bool,
}

impl Place {
    fn at(scope: super::scope::Scope, sees: Sees) -> Self {
        Self { scope, sees, each: false, credentials: false, secret: false }
    }
}

/// Which names there are.
#[derive(Clone, Copy, PartialEq)]
enum Sees {
    /// `params` and `plan`, in bind rules also `instance.params`.
    Parameters,
    /// All that is known before anything is made.
    Static,
    /// That, and `RESOURCE.name`.
    ResourceNames,
    /// That without `RESOURCE.name`, and outputs.
    Outputs,
}
