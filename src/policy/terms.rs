//! What holds for an instance, summed up over the rules that fit it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::format::{Match, Rule};
use super::{Glob, Globs, Placement};

/// What holds for an instance, new or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Parameters that have this value whatever the user says.
    pub forced: Map<String, Value>,
    /// What parameters that name an existing thing may name, by kind of thing.
    pub allow: BTreeMap<String, Vec<Glob>>,
    /// How many instances there may be; every one of these holds.
    pub quotas: Vec<Quota>,
    /// How many bindings the instance may have.
    pub bindings_per_instance: Option<u32>,
    /// The administrator's tags: the file's, then the target's, then the rules'.
    pub tags: BTreeMap<String, String>,
    /// Why this may not be ordered. What exists goes on; a change to such a plan is an order, too.
    pub deny: Option<String>,
}

impl Terms {
    /// Whether a parameter may name this existing thing.
    pub fn allows(&self, kind: &str, value: &str) -> bool {
        self.allow.get(kind).is_some_and(|globs| globs.iter().any(|glob| glob.matches(value)))
    }
}

/// So many instances at most of those that are the order's platform's and agree with every field here that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub max: u32,
    /// In this organization only.
    pub organization: Option<String>,
    /// In this space only.
    pub space: Option<String>,
    /// In this namespace only.
    pub namespace: Option<String>,
    /// Of these offerings, by name ([`Globs::as_like`] for SQL).
    pub offering: Option<Globs>,
    /// Of these plans, by name.
    pub plan: Option<Globs>,
    /// In these targets, by name.
    pub target: Option<Globs>,
}

impl Quota {
    /// The sentence for a user who has reached it.
    pub fn refusal(&self) -> String {
        let word = if self.max == 1 { "instance" } else { "instances" };
        let mut text = format!("the limit of {} {word}", self.max);
        let globs = |globs: &Option<Globs>| globs.as_ref().map(Globs::to_string);
        for (before, what) in [
            (" of ", globs(&self.offering)),
            (" with plan ", globs(&self.plan)),
            (" in target ", globs(&self.target)),
            (" in namespace ", self.namespace.clone()),
            (" in organization ", self.organization.clone()),
            (" in space ", self.space.clone()),
        ] {
            if let Some(what) = what {
                text.push_str(before);
                text.push_str(&what);
            }
        }
        text + " is reached: delete one that is not needed any more, or ask the administrator for a higher limit"
    }
}

impl Terms {
    /// Adds what one more rule says; the later rule wins.
    pub(super) fn add(&mut self, rule: &Rule, order: &Placement<'_>) {
        self.forced.extend(rule.forced.clone().unwrap_or_default());
        self.tags.extend(rule.tags.clone().unwrap_or_default());
        for (kind, globs) in rule.allow.iter().flatten() {
            self.allow.entry(kind.clone()).or_default().extend(globs.iter().cloned());
        }
        if let Some(limits) = rule.limits {
            self.quotas.extend(limits.instances.map(|max| rule.matching.quota(max, order)));
            let both = [self.bindings_per_instance, limits.bindings_per_instance];
            self.bindings_per_instance = both.into_iter().flatten().min();
        }
        // The first denial's sentence stays.
        self.deny = self.deny.take().or_else(|| rule.deny.clone());
    }
}

impl Match {
    /// A limit on the instances that share with the order every value that this match names.
    pub(super) fn quota(&self, max: u32, order: &Placement<'_>) -> Quota {
        let same = |globs: &Option<Globs>, value: Option<&str>| globs.as_ref().and(value).map(str::to_owned);
        Quota {
            max,
            organization: same(&self.organization, order.organization),
            space: same(&self.space, order.space),
            namespace: same(&self.namespace, order.namespace),
            offering: self.offering.clone(),
            plan: self.plan.clone(),
            target: self.target.clone(),
        }
    }
}
