//! The file held against a catalog: what a rule names and nobody offers has no effect, so it is told. It is no mistake of the
//! file alone, and may be right tomorrow: an offering can come later than its rules.

use super::format::{Match, Rule};
use super::{Glob, Globs, Policy, Problem};
use crate::yaml::join;

/// What an offering has that the file may name.
#[derive(Clone, Debug)]
pub struct Offered<'a> {
    /// Its name.
    pub name: &'a str,
    /// The names of its plans.
    pub plans: Vec<&'a str>,
    /// The names of its parameters, those of bindings included.
    pub parameters: Vec<&'a str>,
    /// The sorts of existing things that its parameters refer to.
    pub references: Vec<&'a str>,
}

impl Policy {
    /// What the file names that this catalog does not have, each as a warning with its place.
    pub fn unmet(&self, catalog: &[Offered<'_>]) -> Vec<Problem> {
        let mut warnings = Vec::new();
        let names: Vec<&str> = catalog.iter().map(|offered| offered.name).collect();
        for platform in self.0.platforms.values() {
            for (index, glob) in platform.offerings.iter().flatten().enumerate() {
                if !fits_any(glob, &names) {
                    let at = format!("{}/offerings/{index}", platform.pointer);
                    warnings.push(self.0.places.problem(&at, nothing("offering", glob, &names)));
                }
            }
        }
        for (index, rule) in self.0.rules.iter().enumerate() {
            let mut warn = |key: &str, message: String| {
                warnings.push(self.0.places.key_problem(&format!("/rules/{index}/{key}"), message));
            };
            unmet(rule, catalog, &names, &mut warn);
        }
        warnings.sort_by_key(|warning| (warning.line, warning.column));
        warnings
    }
}

fn unmet(rule: &Rule, catalog: &[Offered<'_>], names: &[&str], warn: &mut impl FnMut(&str, String)) {
    let Match { offering, plan, .. } = &rule.matching;
    let globs = |globs: &Option<Globs>| globs.clone().map(|globs| globs.0).unwrap_or_default();
    for glob in globs(offering).iter().filter(|glob| !fits_any(glob, names)) {
        warn("match/offering", nothing("offering", glob, names));
    }
    let fits = |globs: &Option<Globs>, name: &str| globs.as_ref().is_none_or(|globs| globs.matches(name));
    let mut meant: Vec<&Offered<'_>> = catalog.iter().filter(|offered| fits(offering, offered.name)).collect();
    if meant.is_empty() {
        return;
    }
    let plans: Vec<&str> = meant.iter().flat_map(|offered| offered.plans.iter().copied()).collect();
    for glob in globs(plan).iter().filter(|glob| !fits_any(glob, &plans)) {
        warn("match/plan", nothing("plan", glob, &plans));
    }
    meant.retain(|offered| offered.plans.iter().any(|name| fits(plan, name)));
    if meant.is_empty() {
        return;
    }
    for name in rule.forced.iter().flatten().map(|(name, _)| name) {
        if !meant.iter().any(|offered| offered.parameters.contains(&name.as_str())) {
            let message = format!("no offering that this rule is for has a parameter {name:?}, so this forces nothing");
            warn(&join("forced", name), message);
        }
    }
    for sort in rule.allow.iter().flatten().map(|(sort, _)| sort) {
        if !meant.iter().any(|offered| offered.references.contains(&sort.as_str())) {
            let message =
                format!("no parameter of the offerings that this rule is for names a {sort}, so this allows nothing");
            warn(&join("allow", sort), message);
        }
    }
}

fn fits_any(glob: &Glob, names: &[&str]) -> bool {
    names.iter().any(|name| glob.matches(name))
}

fn nothing(what: &str, glob: &Glob, names: &[&str]) -> String {
    format!("no {what} of the catalog fits {glob:?}, so this never applies; there are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"platforms:
  - name: cf
    credentials: [{ token_sha256: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" }]
    offerings: [s3-bucket, "rds-*"]
targets: [{ name: main, account: "123456789012", region: eu-central-1 }]
rules:
  - { match: {}, forced: { versioning: true, encrypted: true }, allow: { kms-key: [a], kms-keys: [a] } }
  - { match: { offering: s3-buckett }, forced: { anything: 1 } }
  - match: { offering: s3-bucket, plan: [small, large] }
    forced: { fifo: true }
  - { match: { offering: sqs-*, plan: fifo }, forced: { fifo: true } }
"#;

    #[test]
    fn what_nobody_offers_is_told_with_its_place() {
        let catalog = [
            Offered {
                name: "s3-bucket",
                plans: vec!["small"],
                parameters: vec!["versioning"],
                references: vec!["kms-key"],
            },
            Offered { name: "sqs-queue", plans: vec!["fifo"], parameters: vec!["fifo"], references: vec![] },
        ];
        let told: Vec<String> =
            Policy::parse("p.yaml", FILE).unwrap().unmet(&catalog).iter().map(ToString::to_string).collect();
        let expected = [
            "p.yaml:4:28: platforms[0].offerings[1]: no offering of the catalog fits \"rds-*\"",
            "p.yaml:7:46: rules[0].forced.encrypted: no offering that this rule is for has a parameter \"encrypted\"",
            "p.yaml:7:88: rules[0].allow.kms-keys: no parameter of the offerings that this rule is for names a kms-keys",
            "p.yaml:8:16: rules[1].match.offering: no offering of the catalog fits \"s3-buckett\"",
            "p.yaml:9:35: rules[2].match.plan: no plan of the catalog fits \"large\"",
            "p.yaml:10:15: rules[2].forced.fifo: no offering that this rule is for has a parameter \"fifo\"",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}\n{expected}");
        }
    }
}
