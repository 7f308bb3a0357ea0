//! An offering's resources, rules and binding, compiled: every expression parsed, every dependency known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::driver::{Naming, Registry};

use super::document::{BindingSection, Resource, Rule, RuleVerb};
use super::scope::Scope;
use super::tree::{Failure, Tree};
use crate::yaml::join;

/// One resource.
#[derive(Debug)]
pub(super) struct Compiled {
    pub scope: Scope,
    /// Where it stands in the file.
    pub pointer: String,
    pub kind: String,
    pub name: Tree,
    pub for_each: Option<Tree>,
    pub when: Option<Tree>,
    pub retain: Option<Tree>,
    pub serial: Option<String>,
    pub properties: Tree,
    /// The resources of the same scope that it needs first.
    pub needs: BTreeSet<String>,
    /// The resources, of whichever scope, whose outputs its properties mention.
    pub uses: BTreeSet<String>,
    pub naming: Naming,
    pub usual_create: Duration,
    pub usual_delete: Duration,
    /// The properties that can change in place.
    pub mutable: BTreeSet<String>,
    /// The outputs of its kind, and whether each is secret.
    pub outputs: BTreeMap<String, bool>,
}

/// The rules for a name of a kind that this build does not know.
const ANY_NAME: Naming = Naming { max_length: usize::MAX, extra: "", global: false };

impl Compiled {
    pub fn compile(
        scope: Scope,
        resource: &Resource,
        pointer: String,
        registry: &Registry,
        errors: &mut Vec<Failure>,
    ) -> Self {
        let kind = registry.kind(&resource.kind);
        let mut tree = |key: &str, value: &Value| Tree::compile(value, &join(&pointer, key), errors);
        let owner = match scope {
            Scope::Instance => "instance",
            Scope::Binding => "binding",
        };
        let row_name = match (&resource.name, &resource.for_each) {
            (Some(name), _) => name.clone(),
            (None, None) => format!("${{{{ {owner}.slug }}}}"),
            (None, Some(_)) => format!("${{{{ {owner}.slug }}}}-${{{{ each.key }}}}"),
        };
        let row_name = tree("name", &Value::String(row_name));
        let for_each = resource.for_each.as_ref().map(|value| tree("for_each", value));
        let when = resource.when.as_ref().map(|value| tree("when", value));
        let retain = resource.retain.as_ref().map(|value| tree("retain", value));
        let properties = Tree::compile(&Value::Object(resource.properties.clone()), &pointer, errors);
        Self {
            scope,
            pointer,
            kind: resource.kind.clone(),
            name: row_name,
            for_each,
            when,
            retain,
            serial: resource.serial.clone(),
            properties,
            needs: resource.depends_on.iter().cloned().collect(),
            uses: BTreeSet::new(),
            naming: kind.map_or(ANY_NAME, |kind| kind.naming),
            usual_create: kind.map_or(Duration::ZERO, |kind| kind.usual_create),
            usual_delete: kind.map_or(Duration::ZERO, |kind| kind.usual_delete),
            mutable: kind.iter().flat_map(|kind| kind.mutable).map(|property| (*property).to_owned()).collect(),
            outputs: kind
                .map(|kind| kind.outputs.iter().map(|o| (o.name.to_owned(), o.secret)).collect())
                .unwrap_or_default(),
        }
    }

    /// The trees that may use static names only, with their key.
    pub fn static_trees(&self) -> impl Iterator<Item = (&'static str, &Tree)> {
        let optional = [("for_each", &self.for_each), ("when", &self.when), ("retain", &self.retain)];
        [("name", &self.name)]
            .into_iter()
            .chain(optional.into_iter().filter_map(|(key, tree)| tree.as_ref().map(|tree| (key, tree))))
    }
}

/// One rule.
#[derive(Debug)]
pub(super) struct CompiledRule {
    pub pointer: String,
    pub assert: Tree,
    pub message: Tree,
    pub parameter: Option<String>,
    on: Vec<RuleVerb>,
}

impl CompiledRule {
    pub fn compile_all(rules: &[Rule], pointer: &str, errors: &mut Vec<Failure>) -> Vec<Self> {
        let compile = |(index, rule): (usize, &Rule)| {
            let pointer = join(pointer, &index.to_string());
            Self {
                assert: Tree::compile(&Value::from(rule.assert.as_str()), &join(&pointer, "assert"), errors),
                message: Tree::compile(&Value::from(rule.message.as_str()), &join(&pointer, "message"), errors),
                parameter: rule.parameter.clone(),
                on: rule.on.clone(),
                pointer,
            }
        };
        rules.iter().enumerate().map(compile).collect()
    }

    pub fn applies(&self, verb: RuleVerb) -> bool {
        self.on.is_empty() || self.on.contains(&verb)
    }
}

/// What a binding hands out.
#[derive(Debug)]
pub(super) struct CompiledBinding {
    pub credentials: Tree,
    pub styles: BTreeMap<String, Tree>,
    pub style_parameter: String,
    pub endpoints: Tree,
}

/// The name of the canonical form among the styles.
pub(super) const CANONICAL: &str = "canonical";

impl CompiledBinding {
    pub fn compile(section: &BindingSection, errors: &mut Vec<Failure>) -> Self {
        let mut tree = |value: Value, key: &str| Tree::compile(&value, &format!("/binding/{key}"), errors);
        let credentials = tree(Value::Object(section.credentials.clone()), "credentials");
        let endpoints = serde_json::to_value(&section.endpoints).unwrap_or_default();
        let endpoints = tree(endpoints, "endpoints");
        let styles = section
            .styles
            .iter()
            .map(|(name, style)| (name.clone(), tree(Value::Object(style.clone()), &format!("styles/{name}"))))
            .collect();
        Self { credentials, styles, style_parameter: style_parameter(section).to_owned(), endpoints }
    }

    /// Whether the canonical credential of that name is secret.
    pub fn is_secret(&self, credential: Option<&str>) -> bool {
        let secret = |tree: &Tree| {
            let mut found = false;
            tree.expressions("", &mut |_, expression| found |= expression.secret);
            found
        };
        match (&self.credentials, credential) {
            (Tree::Map { merge, entries }, Some(name)) => match entries.iter().find(|(key, _)| key == name) {
                // An own `none` lets the merged one through.
                Some((_, tree)) => secret(tree) || merge.as_deref().is_some_and(secret),
                None => merge.as_deref().is_some_and(secret),
            },
            (tree, _) => secret(tree),
        }
    }
}

/// The bind parameter that chooses the style.
pub(super) fn style_parameter(section: &BindingSection) -> &str {
    section.style_parameter.as_deref().unwrap_or("credential_style")
}
