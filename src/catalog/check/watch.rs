//! Watches a trial evaluation: which leaves are real and which stand for something that only AWS or a user will know.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::analysis::Path;
use super::super::expression::Expression;
use super::super::tree::{Failure, MERGE, is_within};
use super::super::validator::Violation;
use super::super::walk::Observer;
use crate::yaml::join;

/// Keywords that judge a whole from its parts: they cannot be trusted above a part that is only pretended.
const JUDGES_PARTS: &[&str] =
    &["anyOf", "oneOf", "allOf", "not", "if", "uniqueItems", "contains", "dependencies", "minProperties"];

/// The watcher of one evaluation.
pub(super) struct Watch<'w> {
    /// Whether a name's value is only pretended.
    pretended: &'w dyn Fn(&Path) -> bool,
    /// Pointers in the result whose value is not real.
    unreal: BTreeSet<String>,
    /// Where in the file the parts of the result come from.
    origins: Vec<(String, String)>,
    /// What could not be evaluated although all its names are real.
    pub failures: Vec<Failure>,
    last_is_pretended: bool,
}

impl<'w> Watch<'w> {
    pub fn new(pretended: &'w dyn Fn(&Path) -> bool) -> Self {
        Self { pretended, unreal: BTreeSet::new(), origins: Vec::new(), failures: Vec::new(), last_is_pretended: false }
    }

    /// Whether the violation is certain, whatever the pretended leaves turn out to be.
    pub fn is_certain(&self, violation: &Violation) -> bool {
        let judges_parts = JUDGES_PARTS.contains(&violation.keyword.as_str());
        if violation.keyword == "required"
            && let Some((parent, _)) = violation.pointer.rsplit_once('/')
            && self.unreal.iter().any(|unreal| is_within(unreal, &join(parent, MERGE)))
        {
            return false;
        }
        !self.unreal.iter().any(|unreal| {
            is_within(&violation.pointer, unreal) || judges_parts && is_within(unreal, &violation.pointer)
        })
    }

    /// Whether that part of the result is real.
    pub fn is_real(&self, pointer: &str) -> bool {
        !self.unreal.iter().any(|unreal| is_within(pointer, unreal))
    }

    /// Where in the file a part of the result comes from.
    pub fn origin(&self, pointer: &str) -> String {
        let nearest = self.origins.iter().filter(|(to, _)| is_within(pointer, to)).max_by_key(|(to, _)| to.len());
        nearest.map_or_else(|| pointer.to_owned(), |(to, from)| format!("{from}{}", &pointer[to.len()..]))
    }
}

impl Observer for Watch<'_> {
    fn leaf(&mut self, expression: &Expression, from: &str, to: &str) {
        self.origins.push((to.to_owned(), from.to_owned()));
        self.last_is_pretended = expression.names().iter().any(self.pretended);
        if self.last_is_pretended {
            self.unreal.insert(to.to_owned());
        }
    }

    fn failed(&mut self, failed: Failure, to: &str) -> Value {
        self.unreal.insert(to.to_owned());
        if !self.last_is_pretended {
            self.failures.push(failed);
        }
        Value::from("sample")
    }
}
