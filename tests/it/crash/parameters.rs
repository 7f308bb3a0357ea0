//! What to walk through an offering with, found from its file alone.

use std::sync::Arc;

use chandlery::catalog::{Catalog, Parameter, Revision, Verb, sample};
use serde_json::{Map, Value, json};

/// An offering, a plan, and what is asked of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub offering: String,
    pub plan: String,
    pub create: Value,
    /// One updatable parameter with another valid value, where there is one.
    pub update: Option<Value>,
    pub bind: Option<Value>,
    /// The first plan of its offering.
    pub is_first: bool,
}

impl Case {
    pub fn name(&self) -> String {
        format!("{}/{}", self.offering, self.plan)
    }
}

/// A case for every plan of every offering.
pub fn cases(catalog: &Catalog) -> Vec<Case> {
    let mut cases = Vec::new();
    for revision in catalog.offerings() {
        for (index, plan) in revision.plans().iter().enumerate() {
            let fixed = &plan.document().fixed;
            let create = required(&revision.offering().parameters, |name| fixed.contains_key(name));
            cases.push(Case {
                offering: revision.name().to_owned(),
                plan: plan.name().to_owned(),
                update: update(revision, plan.name(), &create),
                bind: revision.bindable().then(|| required(&revision.offering().bind_parameters, |_| false).into()),
                create: create.into(),
                is_first: index == 0,
            });
        }
    }
    cases
}

fn required<'a>(
    parameters: impl IntoIterator<Item = (&'a String, &'a Parameter)>,
    skip: impl Fn(&str) -> bool,
) -> Map<String, Value> {
    let needed = parameters.into_iter().filter(|(name, parameter)| parameter.required && !skip(name));
    needed.filter_map(|(name, parameter)| Some((name.clone(), sample(&parameter.schema)?))).collect()
}

/// A change that reaches AWS: numbers first, since what words mean (`deletion`) is often ours alone.
fn update(revision: &Arc<Revision>, plan: &str, create: &Map<String, Value>) -> Option<Value> {
    let plan = revision.plan_named(plan)?;
    let accept =
        |given: &Map<String, Value>| revision.accept(plan, Verb::Update, given, &Map::new(), &Value::Null).ok();
    let before = accept(create)?;
    let mut parameters: Vec<_> = revision.offering().parameters.iter().filter(|(_, p)| p.updatable).collect();
    parameters.sort_by_key(|(_, parameter)| match parameter.schema.get("type").and_then(Value::as_str) {
        Some("integer") if parameter.schema.contains_key("default") => 0,
        Some("integer") => 1,
        Some("boolean") => 2,
        _ => 3,
    });
    for (name, parameter) in parameters {
        for value in others(parameter, before.get(name)) {
            let mut given = create.clone();
            given.insert(name.clone(), value.clone());
            if accept(&given).is_some_and(|after| after.get(name) != before.get(name)) {
                return Some(json!({ name: value }));
            }
        }
    }
    None
}

fn others(parameter: &Parameter, now: Option<&Value>) -> Vec<Value> {
    let mut values = Vec::new();
    if let Some(options) = parameter.schema.get("enum").and_then(Value::as_array) {
        values.extend(options.clone());
    } else if let Some(number) = now.and_then(Value::as_i64) {
        values.extend([json!(number + 1), json!(number - 1)]);
    } else if let Some(flag) = now.and_then(Value::as_bool) {
        values.push(json!(!flag));
    } else {
        values.extend(sample(&parameter.schema));
    }
    values.retain(|value| Some(value) != now && !value.is_null());
    values
}
