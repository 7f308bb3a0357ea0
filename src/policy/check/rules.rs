//! Terms, and what they refer to.

use super::super::Globs;
use super::super::format::{Match, Rule};
use super::{Findings, join};

pub(super) fn check(findings: &mut Findings) -> Vec<Rule> {
    let rules: Vec<(String, Rule)> = findings.elements("rules");
    let (platforms, targets) = (findings.names("platforms"), findings.names("targets"));
    for (pointer, rule) in &rules {
        check_match(findings, &join(pointer, "match"), &rule.matching, &platforms, &targets);
        check_target(findings, pointer, rule, &targets);
        check_terms(findings, pointer, rule);
    }
    rules.into_iter().map(|(_, rule)| rule).collect()
}

/// The default target: the file's, or the only one there is.
pub(super) fn check_default(findings: &mut Findings, rules: &[Rule]) -> Option<String> {
    let given: Option<String> = findings.read("/default_target");
    let targets = findings.names("targets");
    match given {
        Some(name) => {
            check_known(findings, "/default_target", &name, &targets);
            Some(name)
        }
        None if targets.len() == 1 => targets.into_iter().next(),
        None => {
            let everywhere = |rule: &Rule| rule.target.is_some() && rule.matching.is_any();
            if targets.len() > 1 && !rules.iter().any(everywhere) {
                let message = "there are several targets and no `default_target`: orders for which neither a rule nor \
                               the plan names one are refused";
                findings.warn("/targets", message);
            }
            None
        }
    }
}

fn check_match(findings: &mut Findings, at: &str, matching: &Match, platforms: &[String], targets: &[String]) {
    for (key, globs) in matching.keys() {
        let at = join(at, key);
        if globs.0.is_empty() || globs.0.iter().any(|glob| glob.as_str().is_empty()) {
            findings.wrong(&at, "an empty pattern fits nothing; leave the key out if everything should fit");
            continue;
        }
        let known = match key {
            "platform" => platforms,
            "target" => targets,
            _ => continue,
        };
        for glob in globs.0.iter().filter(|glob| !known.iter().any(|name| glob.matches(name))) {
            let message =
                format!("no {key} of this file fits {glob:?}, so this never applies; there are {}", list(known));
            findings.warn(&at, message);
        }
    }
}

fn check_target(findings: &mut Findings, pointer: &str, rule: &Rule, targets: &[String]) {
    if let Some(name) = &rule.target {
        check_known(findings, &join(pointer, "target"), name, targets);
    }
    for (index, name) in rule.user_may_choose_target.iter().flatten().enumerate() {
        check_known(findings, &format!("{pointer}/user_may_choose_target/{index}"), name, targets);
    }
    if rule.matching.target.is_some() {
        let both =
            [("target", rule.target.is_some()), ("user_may_choose_target", rule.user_may_choose_target.is_some())];
        for (key, _) in both.into_iter().filter(|(_, given)| *given) {
            let message = "a rule that matches on the target cannot choose it: leave `target` out of `match`";
            findings.wrong(&join(pointer, key), message);
        }
    }
}

fn check_terms(findings: &mut Findings, pointer: &str, rule: &Rule) {
    if rule.forced.as_ref().is_some_and(|forced| forced.contains_key("target")) {
        let at = join(&join(pointer, "forced"), "target");
        findings.wrong(&at, "the target is no parameter to force: write `target: NAME` beside `forced`");
    }
    for (kind, globs) in rule.allow.iter().flatten() {
        let at = join(&join(pointer, "allow"), kind);
        for glob in globs {
            if glob.as_str().is_empty() {
                findings.wrong(&at, "an empty pattern allows nothing");
            } else if glob.as_str().bytes().all(|byte| byte == b'*') {
                let message =
                    format!("{glob:?} lets users name any {kind}, also of other accounts, with the broker's power");
                findings.warn(&at, message);
            }
        }
    }
    match &rule.deny {
        Some(sentence) if sentence.trim().is_empty() => {
            findings.wrong(&join(pointer, "deny"), "must be a sentence that tells the user what to do instead");
        }
        Some(_) if rule.matching.is_any() => {
            findings.warn(pointer, "nothing can be ordered: this rule denies every order")
        }
        _ => {}
    }
    if rule.is_idle() {
        findings.warn(pointer, "the rule says nothing besides `match`, so it has no effect");
    }
}

fn check_known(findings: &mut Findings, at: &str, name: &str, targets: &[String]) {
    if !targets.iter().any(|target| target == name) {
        findings.wrong(at, format!("there is no target {name:?}; there are {}", list(targets)));
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl Match {
    fn keys(&self) -> impl Iterator<Item = (&'static str, &Globs)> {
        [
            ("platform", &self.platform),
            ("organization", &self.organization),
            ("space", &self.space),
            ("namespace", &self.namespace),
            ("offering", &self.offering),
            ("plan", &self.plan),
            ("target", &self.target),
        ]
        .into_iter()
        .filter_map(|(key, globs)| Some((key, globs.as_ref()?)))
    }

    fn is_any(&self) -> bool {
        self.keys().next().is_none()
    }
}

impl Rule {
    fn is_idle(&self) -> bool {
        let limits = self.limits.unwrap_or_default();
        self.target.is_none()
            && self.user_may_choose_target.is_none()
            && self.forced.as_ref().is_none_or(|forced| forced.is_empty())
            && self.allow.as_ref().is_none_or(|allow| allow.values().all(Vec::is_empty))
            && limits.instances.is_none()
            && limits.bindings_per_instance.is_none()
            && self.tags.as_ref().is_none_or(|tags| tags.is_empty())
            && self.deny.is_none()
    }
}
