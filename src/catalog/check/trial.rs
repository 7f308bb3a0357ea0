//! One trial of a plan: everything is evaluated with given parameters and pretended outputs, and what is certainly wrong is
//! collected, once for all plans and values.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Draft;
use serde_json::{Map, Value};

use crate::driver::Registry;

use super::super::analysis::Path;
use super::super::compiled::Compiled;
use super::super::evaluate::EvalError;
use super::super::plan::Plan;
use super::super::resources::split_key;
use super::super::revision::Revision;
use super::super::schema::Verb;
use super::super::scope::{Names, OutputMap, Scope, View};
use super::super::tree::Tree;
use super::super::validator::Validator;
use super::plans::{variations, vary};
use super::samples;
use super::watch::Watch;
use crate::yaml::join;

/// One plan's trial.
pub(super) struct Trial<'r> {
    revision: &'r Revision,
    registry: &'r Registry,
    pub plan: &'r Plan,
    kinds: BTreeMap<&'r str, Option<Validator>>,
    /// What was found: pointer and sentence, and the plan in which it was found first.
    pub found: BTreeMap<(String, String), &'r str>,
}

impl<'r> Trial<'r> {
    pub fn new(revision: &'r Revision, registry: &'r Registry, plan: &'r Plan) -> Self {
        Self { revision, registry, plan, kinds: BTreeMap::new(), found: BTreeMap::new() }
    }

    fn tell(&mut self, pointer: &str, message: String) {
        let plan = self.plan.name();
        self.found.entry((pointer.to_owned(), message)).or_insert(plan);
    }

    fn tell_error(&mut self, error: EvalError) {
        self.tell(&error.pointer, error.message);
    }

    /// Tries an instance with those parameters; `varied`: only what mentions that parameter.
    pub fn instance(&mut self, params: &Value, guessed: &BTreeSet<String>, varied: Option<&str>) {
        let revision = self.revision;
        let names = samples::names(self.plan, params.clone());
        let Some(outputs) = self.resources(Scope::Instance, &names, OutputMap::new()) else { return };
        let pretended = |path: &Path| pretended(revision, path, "params", guessed);
        self.desired(Scope::Instance, &names, &outputs, varied, &pretended);
        if revision.resources.is_empty() {
            return;
        }
        let told = revision.dashboard_url(&names).err().or_else(|| revision.labels(&names).err());
        told.into_iter().for_each(|error| self.tell_error(error));
        for (pointer, tree) in
            [("/instance/attributes", &revision.attributes), ("/instance/provides", &revision.provides)]
        {
            if let Ok(view) = revision.output_view(Scope::Instance, tree, &names, &outputs) {
                self.observe(tree, &view, pointer, &pretended);
            }
        }
    }

    pub fn bindings(&mut self, instance: &Value, guessed: &BTreeSet<String>) {
        let revision = self.revision;
        if revision.binding.is_none() {
            return;
        }
        let nothing = Map::new();
        let set = &revision.bind_parameters;
        let plan = self.plan;
        let (given, unknown) = samples::required(set, &nothing);
        let accept = |given: &Map<String, Value>| revision.accept(plan, Verb::Bind, given, &nothing, instance);
        let base = accept(&given).unwrap_or_else(|_| Value::Object(set.complete(&nothing, &given)));
        self.binding(instance, &base, guessed, &unknown);
        for (name, value) in variations(set, &nothing) {
            if let Some(params) = vary(set, &nothing, &given, (name, value), &accept) {
                self.binding(instance, &params, guessed, &unknown);
            }
        }
    }

    fn binding(&mut self, instance: &Value, params: &Value, guessed: &BTreeSet<String>, unknown: &BTreeSet<String>) {
        let revision = self.revision;
        let Some(section) = &revision.binding else { return };
        let of_instance = samples::names(self.plan, instance.clone());
        let Ok(ready) = revision.resources(Scope::Instance, &of_instance) else { return };
        let ready = ready.iter().map(|spec| (spec.key.clone(), row(revision, &spec.key))).collect();
        let names = samples::binding_names(self.plan, instance.clone(), params.clone());
        let Some(outputs) = self.resources(Scope::Binding, &names, ready) else { return };
        let pretended = |path: &Path| {
            pretended(revision, path, "params", unknown)
                || path.get(1) == Some("params") && path.get(2).is_some_and(|name| guessed.contains(name))
                || path.root() == "credentials"
        };
        self.desired(Scope::Binding, &names, &outputs, None, &pretended);
        let trees = [("credentials".to_owned(), &section.credentials), ("endpoints".to_owned(), &section.endpoints)];
        let styles = section.styles.iter().map(|(name, tree)| (format!("styles/{name}"), tree));
        for (key, tree) in trees.into_iter().chain(styles) {
            let Ok(mut view) = revision.output_view(Scope::Binding, tree, &names, &outputs) else { continue };
            if key.starts_with("styles/") {
                let of_merge = tree.names().into_iter().filter(|path| path.root() == "credentials");
                let credentials: Map<String, Value> =
                    of_merge.filter_map(|path| Some((path.get(1)?.to_owned(), Value::from("sample")))).collect();
                view.add("credentials", Value::Object(credentials));
            }
            let pointer = format!("/binding/{key}");
            let (value, watch) = self.observe(tree, &view, &pointer, &pretended);
            if key == "credentials" {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if (value.is_array() || value.is_object()) && watch.is_real(&join("", name)) {
                        let message = "must be a text; use `| json` for a list or a map".to_owned();
                        self.tell(&join(&pointer, name), message);
                    }
                }
            }
        }
    }

    /// Lists the resources, checks their names, and gives pretended outputs to all.
    fn resources(&mut self, scope: Scope, names: &Names, ready: OutputMap) -> Option<OutputMap> {
        let revision = self.revision;
        let mut outputs = ready;
        let specs = match revision.resources(scope, names) {
            Ok(specs) => specs,
            Err(error) => {
                self.tell_error(error);
                return None;
            }
        };
        let owner = if scope == Scope::Instance { Some(&names.instance) } else { names.binding.as_ref() };
        let slug = owner.and_then(|owner| owner.get("slug")).and_then(Value::as_str).unwrap_or_default();
        let mut taken: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for spec in &specs {
            let pointer = split_key(&spec.key)
                .and_then(|(name, _)| revision.resources.get(name))
                .map(|resource| format!("{}/name", resource.pointer))
                .unwrap_or_default();
            if !spec.name.contains(slug) {
                let word = if scope == Scope::Instance { "instance.slug" } else { "binding.slug" };
                self.tell(&pointer, format!("the name must carry `{word}`, which nobody else has"));
            }
            if let Some(first) = taken.insert((&spec.kind, &spec.name), &spec.key) {
                self.tell(&pointer, format!("`{first}` of the same kind has the same name"));
            }
            outputs.insert(spec.key.clone(), row(revision, &spec.key));
        }
        Some(outputs)
    }

    fn desired(
        &mut self,
        scope: Scope,
        names: &Names,
        outputs: &OutputMap,
        varied: Option<&str>,
        pretended: &dyn Fn(&Path) -> bool,
    ) {
        let revision = self.revision;
        for key in outputs.keys() {
            let Some(resource) = split_key(key).and_then(|(name, _)| revision.resources.get(name)) else { continue };
            if resource.scope != scope || varied.is_some_and(|varied| !mentions(resource, varied)) {
                continue;
            }
            let view = match revision.desired_view(scope, key, names, outputs) {
                Ok((_, view)) => view,
                Err(error) => {
                    self.tell_error(error);
                    continue;
                }
            };
            let mut watch = Watch::new(pretended);
            let value = resource.properties.observe(&view, &mut watch).value;
            for (from, message) in std::mem::take(&mut watch.failures) {
                self.tell(&format!("{}{from}", resource.pointer), message);
            }
            let registry = self.registry;
            let validator = self.kinds.entry(&resource.kind).or_insert_with(|| {
                let schema = registry.kind(&resource.kind)?.schema.clone();
                Validator::compile(schema, Draft::Draft7).ok()
            });
            let violations = validator.as_ref().map(|validator| validator.violations(&value)).unwrap_or_default();
            for violation in violations.into_iter().filter(|violation| watch.is_certain(violation)) {
                let pointer = format!("{}{}", resource.pointer, watch.origin(&violation.pointer));
                self.tell(&pointer, format!("{} ({})", violation.message, resource.kind));
            }
        }
    }

    /// Evaluates a tree that no schema describes. The watch tells what of it is real.
    fn observe<'w>(
        &mut self,
        tree: &Tree,
        view: &View<'_>,
        pointer: &str,
        pretended: &'w dyn Fn(&Path) -> bool,
    ) -> (Value, Watch<'w>) {
        let mut watch = Watch::new(pretended);
        let value = tree.observe(view, &mut watch).value;
        for (from, message) in std::mem::take(&mut watch.failures) {
            self.tell(&format!("{pointer}{from}"), message);
        }
        (value, watch)
    }
}

fn row(revision: &Revision, key: &str) -> Map<String, Value> {
    split_key(key).map(|(name, _)| samples::outputs(revision, name)).unwrap_or_default()
}

/// Whether a name's value in a trial is only pretended: an output, or a parameter for which no valid value was found.
fn pretended(revision: &Revision, path: &Path, params: &str, guessed: &BTreeSet<String>) -> bool {
    let guess = |name: Option<&str>| name.is_none_or(|name| guessed.contains(name)) && !guessed.is_empty();
    match path.root() {
        root if root == params => guess(path.get(1)),
        "each" => !guessed.is_empty(),
        root => revision.resources.contains_key(root),
    }
}

fn mentions(resource: &Compiled, parameter: &str) -> bool {
    let of_parameter = |path: &Path| path.root() == "params" && path.get(1).is_none_or(|name| name == parameter);
    let of_for_each = resource.for_each.as_ref().is_some_and(|tree| tree.names().iter().any(of_parameter));
    let of_when = resource.when.as_ref().is_some_and(|tree| tree.names().iter().any(of_parameter));
    of_for_each || of_when || resource.properties.names().iter().any(of_parameter)
}
