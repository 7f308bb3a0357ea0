//! Secrecy, carried statically: an expression that mentions something secret has a secret result, whatever it does with it.

use std::collections::{BTreeMap, BTreeSet};

use super::analysis::Path;
use super::compiled::Compiled;
use super::parameters::ParameterSet;
use super::revision::Revision;
use super::scope::Scope;
use super::tree::Tree;

/// What is secret in a scope.
pub(super) struct Secrets {
    params: BTreeSet<String>,
    /// Of the instance, in binding scope.
    instance_params: BTreeSet<String>,
    /// By resource: whether its outputs lie below a key, and which are secret.
    outputs: BTreeMap<String, (bool, BTreeSet<String>)>,
}

impl Secrets {
    fn new(params: &ParameterSet, instance: Option<&ParameterSet>, resources: &BTreeMap<String, Compiled>) -> Self {
        let secret = |set: &ParameterSet| {
            set.declared.iter().filter(|(_, p)| p.secret).map(|(name, _)| name.clone()).collect::<BTreeSet<_>>()
        };
        let outputs = resources.iter().map(|(name, resource)| {
            let secret = resource.outputs.iter().filter(|(_, secret)| **secret).map(|(output, _)| output.clone());
            (name.clone(), (resource.for_each.is_some(), secret.collect()))
        });
        Self {
            params: secret(params),
            instance_params: instance.map(secret).unwrap_or_default(),
            outputs: outputs.collect(),
        }
    }

    /// Whether that name is secret, or holds something that is.
    pub fn holds(&self, path: &Path) -> bool {
        let among = |set: &BTreeSet<String>, name: Option<&str>| match name {
            Some(name) => set.contains(name),
            None => !set.is_empty(),
        };
        match (path.root(), path.get(1)) {
            ("params", name) => among(&self.params, name),
            ("instance", Some("params") | None) => among(&self.instance_params, path.get(2)),
            (root, name) => self.outputs.get(root).is_some_and(|(keyed, secret)| match keyed {
                true => among(secret, path.get(2)),
                false => among(secret, name),
            }),
        }
    }
}

/// What is secret in that scope.
pub(super) fn secrets(revision: &Revision, scope: Scope) -> Secrets {
    match scope {
        Scope::Instance => Secrets::new(&revision.parameters, None, &revision.resources),
        Scope::Binding => Secrets::new(&revision.bind_parameters, Some(&revision.parameters), &revision.resources),
    }
}

/// Marks every expression of the revision whose result is secret.
pub(super) fn mark(revision: &mut Revision) {
    let instance = secrets(revision, Scope::Instance);
    let binding = secrets(revision, Scope::Binding);
    for resource in revision.resources.values_mut() {
        let secrets = if resource.scope == Scope::Instance { &instance } else { &binding };
        let trees = [&mut resource.for_each, &mut resource.when, &mut resource.retain].into_iter().flatten();
        for tree in trees.chain([&mut resource.name, &mut resource.properties]) {
            tree.mark_secret(&|path| secrets.holds(path));
        }
    }
    let mut trees: Vec<(&mut Tree, &Secrets)> = Vec::new();
    trees.extend(revision.dashboard_url.as_mut().map(|tree| (tree, &instance)));
    trees.extend([
        (&mut revision.labels, &instance),
        (&mut revision.attributes, &instance),
        (&mut revision.provides, &instance),
    ]);
    trees.extend(revision.rules.iter_mut().map(|rule| (&mut rule.message, &instance)));
    trees.extend(revision.bind_rules.iter_mut().map(|rule| (&mut rule.message, &binding)));
    for (tree, secrets) in trees {
        tree.mark_secret(&|path| secrets.holds(path));
    }
    if let Some(section) = &mut revision.binding {
        section.credentials.mark_secret(&|path| binding.holds(path));
        section.endpoints.mark_secret(&|path| binding.holds(path));
        let mut styles = std::mem::take(&mut section.styles);
        for style in styles.values_mut() {
            style.mark_secret(&|path| match path.root() {
                "credentials" => section.is_secret(path.get(1)),
                _ => binding.holds(path),
            });
        }
        section.styles = styles;
    }
}
