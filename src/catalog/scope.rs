//! What an expression sees: the names and their values.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use minijinja::value::Serde;
use serde_json::{Map, Value};

use super::analysis::Path;

/// The static names of an owner, each a JSON object.
///
/// | name | holds |
/// |---|---|
/// | `params` | the effective parameters, as [`Revision::accept`](super::Revision::accept) returned them (a binding's in binding scope) |
/// | `plan` | what the plan fixes, `id` and `name`: [`Plan::names`](super::Plan::names) |
/// | `instance` | `slug uid id`, where the platform gave them `name namespace organization space`, and in binding scope `params` |
/// | `binding` | `slug uid id app_guid` |
/// | `target` | `name account region partition` |
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The effective parameters.
    pub params: Value,
    /// The plan's own values.
    pub plan: Value,
    /// The instance.
    pub instance: Value,
    /// The binding, in binding scope.
    pub binding: Option<Value>,
    /// The target.
    pub target: Value,
}

/// The outputs of the rows of an owner that are ready (in binding scope the instance's and the binding's), by row key.
pub type OutputMap = BTreeMap<String, Map<String, Value>>;

/// Whose resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The instance's.
    Instance,
    /// The binding's.
    Binding,
}

/// The names that one evaluation sees.
#[derive(Default)]
pub(super) struct View<'a> {
    roots: BTreeMap<Cow<'a, str>, Cow<'a, Value>>,
    context: OnceCell<minijinja::Value>,
}

impl<'a> View<'a> {
    /// Adds a name that this scope owns.
    pub fn add(&mut self, name: impl Into<Cow<'a, str>>, value: Value) {
        self.roots.insert(name.into(), Cow::Owned(value));
        self.context = OnceCell::new();
    }

    /// Adds a name that somebody else owns.
    pub fn lend(&mut self, name: impl Into<Cow<'a, str>>, value: &'a Value) {
        self.roots.insert(name.into(), Cow::Borrowed(value));
        self.context = OnceCell::new();
    }

    /// The value of a dotted name.
    pub fn lookup(&self, path: &Path) -> Option<&Value> {
        let mut words = path.0.iter();
        let mut value: &Value = self.roots.get(words.next()?.as_str())?;
        for word in words {
            value = value.as_object()?.get(word)?;
        }
        Some(value)
    }

    /// The same for minijinja; made once, when it is first needed.
    pub fn context(&self) -> minijinja::Value {
        self.context
            .get_or_init(|| {
                minijinja::Value::from_pairs(
                    self.roots
                        .iter()
                        .map(|(name, value)| (name.to_string(), minijinja::Value::from(Serde(value.as_ref())))),
                )
            })
            .clone()
    }
}
