//! Evaluates what depends on outputs: desired state, credentials, endpoints, attributes; and what platforms are told.

use serde_json::{Map, Value, json};

use crate::osb::{Endpoint, FetchInstanceResponse, InstanceMetadata};

use super::compiled::{CANONICAL, Compiled};
use super::resources::{entries, is_wanted, row_key, split_key};
use super::revision::Revision;
use super::schema::Verb;
use super::scope::{Names, OutputMap, Scope, View};
use super::tree::{Evaluated, Failure, MERGE, Tree};
use crate::yaml::dotted;

/// An expression that could not be evaluated. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", dotted(pointer))]
pub struct EvalError {
    /// Where in the file: a JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl EvalError {
    pub(super) fn at(pointer: &str, key: &str, message: String) -> Self {
        Self { pointer: format!("{pointer}/{key}"), message }
    }

    fn below(pointer: &str, (inside, message): Failure) -> Self {
        Self { pointer: format!("{pointer}{inside}"), message }
    }
}

/// What a platform may leave out, and is none then.
const OPTIONAL_OF_INSTANCE: [&str; 4] = ["name", "namespace", "organization", "space"];

impl Revision {
    /// The desired state of the row `key`. `outputs` are those of the rows that are ready.
    pub fn desired(&self, scope: Scope, key: &str, names: &Names, outputs: &OutputMap) -> Result<Evaluated, EvalError> {
        let (resource, view) = self.desired_view(scope, key, names, outputs)?;
        resource.properties.evaluate(&view).map_err(|failure| EvalError::below(&resource.pointer, failure))
    }

    /// The resource behind a row key, and all that its properties see.
    pub(super) fn desired_view<'a>(
        &'a self,
        scope: Scope,
        key: &str,
        names: &'a Names,
        outputs: &OutputMap,
    ) -> Result<(&'a Compiled, View<'a>), EvalError> {
        let unknown = || EvalError { pointer: format!("/{key}"), message: "there is no such resource".to_owned() };
        let (name, entry) = split_key(key).ok_or_else(unknown)?;
        let resource = self.resources.get(name).filter(|resource| resource.scope == scope).ok_or_else(unknown)?;
        let mut view = self.static_view(scope, names);
        let found = entries(resource, &view)?.into_iter().find(|(found, _)| *found == entry).ok_or_else(unknown)?;
        if let (Some(key), Some(value)) = found {
            view.add("each", json!({"key": key, "value": value}));
        }
        self.add_outputs(&mut view, resource.uses.iter().map(String::as_str), names, outputs)?;
        Ok((resource, view))
    }

    /// The credentials of a binding, in the style that its parameters choose. The canonical form is flat and of texts.
    pub fn credentials(&self, names: &Names, outputs: &OutputMap) -> Result<Evaluated, EvalError> {
        let Some(binding) = &self.binding else { return Ok(Evaluated { value: json!({}), secrets: Vec::new() }) };
        let mut view = self.output_view(Scope::Binding, &binding.credentials, names, outputs)?;
        let pointer = "/binding/credentials";
        let mut canonical =
            binding.credentials.evaluate(&view).map_err(|failure| EvalError::below(pointer, failure))?;
        flatten(&mut canonical.value).map_err(|(key, message)| EvalError::at(pointer, &key, message))?;
        let chosen = names.params.get(&binding.style_parameter).and_then(Value::as_str).unwrap_or(CANONICAL);
        let Some(style) = binding.styles.get(chosen).filter(|_| chosen != CANONICAL) else { return Ok(canonical) };
        if style.names().iter().any(|path| self.resources.contains_key(path.root())) {
            view = self.output_view(Scope::Binding, style, names, outputs)?;
        }
        if let (Value::Object(map), Some(section)) = (&mut canonical.value, &self.offering.binding) {
            for name in section.credentials.keys().filter(|name| *name != MERGE) {
                map.entry(name.as_str()).or_insert(Value::Null);
            }
        }
        view.add("credentials", canonical.value);
        style.evaluate(&view).map_err(|failure| EvalError::below(&format!("/binding/styles/{chosen}"), failure))
    }

    /// Where a binding's thing is reached.
    pub fn endpoints(&self, names: &Names, outputs: &OutputMap) -> Result<Vec<Endpoint>, EvalError> {
        let Some(binding) = &self.binding else { return Ok(Vec::new()) };
        let view = self.output_view(Scope::Binding, &binding.endpoints, names, outputs)?;
        let pointer = "/binding/endpoints";
        let mut value = binding.endpoints.evaluate(&view).map_err(|failure| EvalError::below(pointer, failure))?.value;
        for port in
            value.as_array_mut().into_iter().flatten().filter_map(|e| e.get_mut("ports")?.as_array_mut()).flatten()
        {
            if port.is_number() {
                *port = Value::from(port.to_string());
            }
        }
        serde_json::from_value(value)
            .map_err(|error| EvalError { pointer: pointer.to_owned(), message: error.to_string() })
    }

    /// Where people see an instance.
    pub fn dashboard_url(&self, names: &Names) -> Result<Option<String>, EvalError> {
        let Some(tree) = &self.dashboard_url else { return Ok(None) };
        let value = self.told(tree, "/instance/dashboard_url", names)?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// The labels of an instance, as texts.
    pub fn labels(&self, names: &Names) -> Result<Map<String, Value>, EvalError> {
        texts(self.told(&self.labels, "/instance/labels", names)?, "/instance/labels")
    }

    /// The attributes of an instance, as texts.
    pub fn attributes(&self, names: &Names, outputs: &OutputMap) -> Result<Map<String, Value>, EvalError> {
        let pointer = "/instance/attributes";
        let view = self.output_view(Scope::Instance, &self.attributes, names, outputs)?;
        let value = self.attributes.evaluate(&view).map_err(|failure| EvalError::below(pointer, failure))?.value;
        texts(value, pointer)
    }

    /// What a fetch shows of an instance besides ids and parameters. It changes only with the instance, so it is evaluated then
    /// and kept in the instance's row.
    pub fn shown(&self, names: &Names, outputs: &OutputMap) -> Result<FetchInstanceResponse, EvalError> {
        Ok(FetchInstanceResponse {
            dashboard_url: self.dashboard_url(names)?,
            metadata: InstanceMetadata { labels: self.labels(names)?, attributes: self.attributes(names, outputs)? },
            ..FetchInstanceResponse::default()
        })
    }

    /// What an instance provides to others of the same owner, by the sort of thing as which they may refer to it.
    pub fn provides(&self, names: &Names, outputs: &OutputMap) -> Result<Map<String, Value>, EvalError> {
        let pointer = "/instance/provides";
        let view = self.output_view(Scope::Instance, &self.provides, names, outputs)?;
        let value = self.provides.evaluate(&view).map_err(|failure| EvalError::below(pointer, failure))?.value;
        Ok(match value {
            Value::Object(provided) => provided,
            _ => Map::new(),
        })
    }

    /// The properties of a resource that differ between two desired states and cannot change in place. `before` is as a
    /// row holds it, secrets taken out: what is secret in either is not compared.
    pub fn frozen_changes(&self, key: &str, before: &Value, wanted: &Evaluated) -> Vec<String> {
        let name = key.split_once('[').map_or(key, |(name, _)| name);
        let Some(resource) = self.resources.get(name) else { return Vec::new() };
        let secret = |property: &str| wanted.secrets.iter().any(|pointer| pointer.split('/').nth(1) == Some(property));
        let (Some(before), Some(after)) = (before.as_object(), wanted.value.as_object()) else { return Vec::new() };
        let mut changed: Vec<String> = (before.keys().chain(after.keys()))
            .filter(|property| before.get(*property) != after.get(*property) && !secret(property))
            .filter(|property| !resource.mutable.contains(*property))
            .cloned()
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }

    /// Static names, and `RESOURCE.name`.
    fn told(&self, tree: &Tree, pointer: &str, names: &Names) -> Result<Value, EvalError> {
        let mut view = self.static_view(Scope::Instance, names);
        for path in tree.names() {
            if let Some((name, resource)) = self.resources.get_key_value(path.root()) {
                let inner = self.static_view(Scope::Instance, names);
                let row_name = match is_wanted(resource, &inner)? && resource.for_each.is_none() {
                    true => Value::String(resource.row_name(&inner)?),
                    false => Value::Null,
                };
                view.add(name.as_str(), json!({"name": row_name}));
            }
        }
        tree.evaluate(&view).map(|result| result.value).map_err(|failure| EvalError::below(pointer, failure))
    }

    /// The static names of a scope. Whatever is declared but has no value is none.
    pub(super) fn static_view<'a>(&'a self, scope: Scope, names: &'a Names) -> View<'a> {
        let mut view = View::default();
        let verb = if scope == Scope::Binding { Verb::Bind } else { Verb::Create };
        view.add("params", self.parameter_set(verb).with_nones(&names.params));
        view.lend("plan", &names.plan);
        view.lend("target", &names.target);
        let mut instance = names.instance.as_object().cloned().unwrap_or_default();
        for name in OPTIONAL_OF_INSTANCE {
            instance.entry(name).or_insert(Value::Null);
        }
        if scope == Scope::Binding {
            let params = instance.get("params").unwrap_or(&Value::Null);
            let params = self.parameters.with_nones(params);
            instance.insert("params".to_owned(), params);
            let mut binding = names.binding.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
            binding.entry("app_guid").or_insert(Value::Null);
            view.add("binding", Value::Object(binding));
        } else {
            instance.remove("params");
        }
        view.add("instance", Value::Object(instance));
        view
    }

    /// The static names and the outputs that a tree mentions.
    pub(super) fn output_view<'a>(
        &'a self,
        scope: Scope,
        tree: &Tree,
        names: &'a Names,
        outputs: &OutputMap,
    ) -> Result<View<'a>, EvalError> {
        let mut view = self.static_view(scope, names);
        let paths = tree.names();
        let roots = paths.iter().map(|path| path.root()).filter(|root| self.resources.contains_key(*root));
        self.add_outputs(&mut view, roots, names, outputs)?;
        Ok(view)
    }

    /// Adds the outputs of resources. Those of a resource that was skipped are none; one that should be ready and is not is
    /// an error.
    fn add_outputs<'a, 'n>(
        &'a self,
        view: &mut View<'a>,
        roots: impl Iterator<Item = &'n str>,
        names: &'a Names,
        outputs: &OutputMap,
    ) -> Result<(), EvalError> {
        for root in roots {
            let Some((name, resource)) = self.resources.get_key_value(root) else { continue };
            let value = match (&resource.for_each, outputs.get(name)) {
                (None, Some(row)) => declared(resource, row),
                (None, None) => {
                    let wanted = is_wanted(resource, &self.static_view_of(resource, names))?;
                    if wanted {
                        let message = "its outputs are needed and it is not ready".to_owned();
                        return Err(EvalError { pointer: resource.pointer.clone(), message });
                    }
                    declared(resource, &Map::new())
                }
                (Some(_), _) => {
                    let rows =
                        outputs.range(format!("{name}[")..).take_while(|(key, _)| key.starts_with(name.as_str()));
                    let entry = |key: &str| split_key(key).filter(|(n, _)| n == name).and_then(|(_, entry)| entry);
                    rows.filter_map(|(key, row)| entry(key).map(|entry| (entry, declared(resource, row)))).collect()
                }
            };
            view.add(name.as_str(), value);
        }
        Ok(())
    }

    /// The static names in which a resource's own `when` is evaluated: an instance's resource sees the instance's parameters
    /// even when a binding asks.
    fn static_view_of<'a>(&'a self, resource: &Compiled, names: &'a Names) -> View<'a> {
        let mut view = self.static_view(resource.scope, names);
        if resource.scope == Scope::Instance && names.binding.is_some() {
            let params = names.instance.get("params").unwrap_or(&Value::Null);
            view.add("params", self.parameters.with_nones(params));
        }
        view
    }

    /// The row key of a resource, for callers that build an [`OutputMap`].
    pub fn row_key(resource: &str, entry: Option<&str>) -> String {
        row_key(resource, entry)
    }
}

/// A row's outputs with none for those that it does not have.
fn declared(resource: &Compiled, row: &Map<String, Value>) -> Value {
    let mut all = row.clone();
    for output in resource.outputs.keys() {
        if !all.contains_key(output) {
            all.insert(output.clone(), Value::Null);
        }
    }
    Value::Object(all)
}

/// Numbers and truth values become text; anything else that is not text is an error.
pub(super) fn flatten(value: &mut Value) -> Result<(), Failure> {
    for (key, value) in value.as_object_mut().into_iter().flatten() {
        match value {
            Value::String(_) => {}
            Value::Number(_) | Value::Bool(_) => *value = Value::String(value.to_string()),
            _ => return Err((key.clone(), "must be a text; use `| json` for a list or a map".to_owned())),
        }
    }
    Ok(())
}

fn texts(mut value: Value, pointer: &str) -> Result<Map<String, Value>, EvalError> {
    flatten(&mut value).map_err(|(key, message)| EvalError::at(pointer, &key, message))?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}
