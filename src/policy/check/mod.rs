//! From text to a checked policy, with everything that is wrong at once.
//!
//! Elements of `platforms`, `targets` and `rules` are read one by one: those with a wrong structure are told by the
//! schema and left out here, the others are still checked.

mod platforms;
mod rules;
mod tags;
mod targets;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Checked, Problem, Problems, hash, schema, structure};
use crate::yaml::{Located, join};

/// Where the checks put what they find.
struct Findings {
    document: Located,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Findings {
    fn wrong(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(self.document.problem(pointer, message));
    }

    fn warn(&mut self, pointer: &str, message: impl Into<String>) {
        self.warnings.push(self.document.problem(pointer, message));
    }

    /// The elements of a list that have the right structure, with their pointers.
    fn elements<T: DeserializeOwned>(&mut self, list: &str) -> Vec<(String, T)> {
        let count = self.document.value.get(list).and_then(Value::as_array).map_or(0, Vec::len);
        let pointers = (0..count).map(|index| format!("/{list}/{index}"));
        pointers.filter_map(|pointer| self.read(&pointer).map(|element| (pointer, element))).collect()
    }

    /// What is at a pointer, if it has the right structure. What cannot be read is never left out in silence.
    fn read<T: DeserializeOwned>(&mut self, pointer: &str) -> Option<T> {
        let read = T::deserialize(self.document.value.pointer(pointer)?).ok();
        if read.is_none() && self.problems.is_empty() {
            self.wrong(pointer, "cannot be read, though its keys and types are right: this is a defect of Chandlery");
        }
        read
    }

    /// The names of a list's elements, whatever else may be wrong with them.
    fn names(&self, list: &str) -> Vec<String> {
        let items = self.document.value.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| item.get("name")?.as_str().map(str::to_owned)).collect()
    }

    /// The name of a platform or a target: it becomes a metric's label, a tag's value and a word in rules.
    fn check_name(&mut self, pointer: &str, name: &str, seen: &mut Vec<String>) {
        let at = join(pointer, "name");
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.len() > 63 || !name.bytes().all(legal) || !name.starts_with(|first: char| first.is_ascii_alphanumeric())
        {
            self.wrong(&at, "must be 1 to 63 letters, digits, `.`, `_` and `-`, beginning with a letter or a digit");
        }
        if seen.iter().any(|other| other == name) {
            self.wrong(&at, format!("the name {name:?} is already taken above"));
        }
        seen.push(name.to_owned());
    }
}

pub(super) fn check(file: &str, text: &str) -> Result<Checked, Problems> {
    let (document, problems) = Located::parse(file, text);
    let Some(document) = document else { return Err(Problems(problems)) };
    let mut findings = Findings { document, problems, warnings: Vec::new() };
    structure::check(&findings.document, &schema(), &mut findings.problems);

    let (platforms, logins) = platforms::check(&mut findings);
    let targets = targets::check(&mut findings);
    let tags: BTreeMap<String, String> = findings.read("/tags").unwrap_or_default();
    let rules = rules::check(&mut findings);
    let default_target = rules::check_default(&mut findings, &rules);
    tags::check(&mut findings);

    let Findings { mut problems, mut warnings, document } = findings;
    for list in [&mut problems, &mut warnings] {
        list.sort_by_key(|problem| (problem.line, problem.column));
        list.dedup();
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let places = document.places;
    Ok(Checked { digest: hash(text), places, warnings, platforms, logins, targets, default_target, tags, rules })
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, hash};
    use super::*;

    const SHA: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn problems(text: &str) -> Vec<String> {
        let problems = check("p.yaml", &text.replace("SHA", SHA)).err().map(|problems| problems.0).unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    /// `good` with a line in place of another gives exactly this problem.
    fn assert_refused(line: &str, instead: &str, problem: &str) {
        assert!(GOOD.contains(line), "{line}");
        let found = problems(&GOOD.replace(line, instead));
        assert!(found.len() == 1 && found[0].contains(problem), "{instead}\n{found:#?}\nshould say {problem}");
    }

    const GOOD: &str = r#"platforms:
  - name: cf
    credentials:
      - { username: broker, password_sha256: SHA }
      - token_sha256: SHA
targets:
  - name: main
    account: "123456789012"
    region: eu-central-1
    role_arn: arn:aws:iam::123456789012:role/broker
    external_id: hush-hush
    permissions_boundary: arn:aws:iam::123456789012:policy/path/edge
    tags: { team: x }
rules:
  - match: { platform: cf }
    target: main
"#;

    #[test]
    fn a_good_file_has_no_problems_and_logs_in() {
        let policy = Policy::parse("p.yaml", &GOOD.replace("SHA", SHA)).unwrap();
        assert_eq!(policy.warnings(), []);
        assert_eq!(policy.authenticate("broker", "secret").map(|name| name.as_str()), Some("cf"));
        assert_eq!(policy.authenticate_bearer("secret").map(|name| name.as_str()), Some("cf"));
        assert_eq!(policy.authenticate("broker", "Secret"), None);
        let debug = format!("{policy:?}");
        assert!(
            !debug.contains("hush-hush") && !debug.contains(&SHA[..8]) && debug.contains("eu-central-1"),
            "{debug}"
        );
    }

    #[test]
    fn everything_wrong_is_said_at_once_with_its_place() {
        let found = problems(
            "platforms:\n  - nam: x\n    credentials: []\n  - name: y\n    credentials: [{ username: u }]\ntargets:\n  - \
             { name: t, account: 123456789012, region: here }\nextra: 1\nrules:\n  - match: { namespace: }\n    \
             target: t2\n",
        );
        let expected = [
            "p.yaml:2:5: platforms[0]: the key `name` is missing",
            "p.yaml:2:5: platforms[0].nam: there is no such key; the keys here are credentials, limits, name, offerings",
            "p.yaml:5:19: platforms[1].credentials[0]: must be either `username` with `password_sha256`, or `token_sha256` alone",
            "p.yaml:7:25: targets[0].account: must be text: put it in quotes",
            "p.yaml:8:1: extra: there is no such key; the keys here are default_target, platforms, rules, tags, targets",
            "p.yaml:10:23: rules[0].match.namespace: has no value: write one, or leave the key out",
            "p.yaml:11:13: rules[0].target: there is no target \"t2\"; there are t",
        ];
        for line in expected {
            assert!(found.iter().any(|problem| problem == line), "{line}\n{found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[test]
    fn credentials_are_checked() {
        let basic = "{ username: broker, password_sha256: SHA }";
        assert_refused(basic, "{ username: broker, password_sha256: SHAa }", "64 hexadecimal digits, this has 65");
        assert_refused(basic, "{ username: 'a:b', password_sha256: SHA }", "no colon");
        assert_refused("token_sha256: SHA", &format!("token_sha256: {}", hash("")), "empty text");
        assert_refused(basic, "{ token_sha256: SHA }", "stands above already");
        assert_refused(basic, "{ username: broker, password: hunter2 }", "password");
        let second = "  - name: two\n    credentials: [{ username: broker, password_sha256: SHA }]\ntargets:";
        let found = problems(&GOOD.replace("targets:", second));
        assert!(found.iter().any(|problem| problem.contains("already belongs to platform \"cf\"")), "{found:#?}");
        assert!(!problems(&GOOD.replace("SHA }", "SHAx }")).concat().contains(SHA), "no digest in a problem");
    }

    #[test]
    fn targets_are_checked() {
        assert_refused("eu-central-1", "eu_central_1", "name of an AWS region");
        assert_refused("\"123456789012\"", "\"12345678901\"", "12 digits");
        assert_refused(
            "    region: eu-central-1",
            "    region: eu-central-1\n    partition: aws-cn",
            "is in partition aws, not",
        );
        let role = "arn:aws:iam::123456789012:role/broker";
        assert_refused(role, "arn:aws:iam::210987654321:role/broker", "is of account 210987654321");
        assert_refused(role, "arn:aws-cn:iam::123456789012:role/broker", "is in partition \"aws-cn\"");
        assert_refused(role, "arn:aws:iam::123456789012:user/broker", "arn:aws:iam::123456789012:role/NAME");
        assert_refused(role, "broker", "must be an ARN of the form");
        assert_refused("hush-hush", "x", "2 to 1224");
        assert_refused(&format!("    role_arn: {role}\n"), "", "of no use without `role_arn`");
        assert_refused("{ team: x }", "{ 'aws:team': x }", "reserved");
        assert_refused("{ team: x }", "{ team: 'a*b' }", "value of a tag");
        assert_refused("{ team: x }", "{ team: x, Team: y }", "differ only in case");
        assert_eq!(problems(&GOOD.replace("123456789012:policy/path/edge", "aws:policy/PowerUserAccess")), [""; 0]);
    }

    /// AWS counts the tags of one thing together, and IAM holds keys that differ in case for the same.
    #[test]
    fn tags_that_come_together_on_a_thing_are_checked_together() {
        let rule = "    target: main\n";
        assert_refused(rule, "    tags: { Team: y }\n", "rules[0].tags.Team: \"Team\" and \"team\" (in line 13)");
        let keys = |prefix: &str, count: usize| -> String {
            (0..count).map(|n| format!("{prefix}{n}: v")).collect::<Vec<_>>().join(", ")
        };
        let with = |count: usize| format!("tags: {{ {} }}\nrules:\n", keys("file", count));
        let both = GOOD.replace(rule, &format!("    tags: {{ team: y, {} }}\n", keys("rule", 10)));
        assert_eq!(problems(&both.replace("rules:\n", &with(19))), [""; 0]);
        let found = problems(&both.replace("rules:\n", &with(20)));
        assert!(found.len() == 1 && found[0].contains("targets[0].tags: 31 tags"), "{found:#?}");
    }

    #[test]
    fn rules_are_checked() {
        let rule = "  - match: { platform: cf }\n    target: main\n";
        assert_refused(rule, "  - match: { target: main }\n    target: main\n", "cannot choose it");
        assert_refused(rule, "  - match: {}\n    forced: { target: main }\n", "is no parameter to force");
        assert_refused(rule, "  - match: { plan: [] }\n    target: main\n", "an empty pattern");
        assert_refused(rule, "  - match: { plan: 3 }\n    target: main\n", "a pattern or a list of patterns");
        assert_refused(rule, "  - match: {}\n    limits: { instances: -1 }\n", "between 0 and");
        assert_refused(rule, "  - match: {}\n    limits: { instances: 5000000000 }\n", "between 0 and");
        assert_refused(rule, "  - target: main\n", "the key `match` is missing");
        assert_refused(rule, "  - match: {}\n    deny: ''\n", "sentence");
        assert_refused("rules:\n", "default_target: nowhere\nrules:\n", "no target \"nowhere\"");
    }

    #[test]
    fn what_looks_wrong_is_a_warning() {
        for (rule, warning) in [
            ("  - match: { platform: kubernets }\n    target: main\n", "no platform of this file fits \"kubernets\""),
            ("  - match: { plan: x }\n    limits: {}\n", "has no effect"),
            ("  - match: {}\n    allow: { kms-key: ['*'] }\n", "any kms-key"),
            ("  - match: {}\n    deny: Closed.\n", "nothing can be ordered"),
        ] {
            let text = GOOD.replace("  - match: { platform: cf }\n    target: main\n", rule).replace("SHA", SHA);
            let policy = Policy::parse("p.yaml", &text).unwrap();
            let shown: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
            assert!(shown.len() == 1 && shown[0].contains(warning), "{shown:?}");
        }
        let two = "  - { name: b, account: '111111111111', region: us-east-1 }\nrules:";
        let text = GOOD.replace("rules:", two).replace("SHA", SHA);
        assert!(Policy::parse("p.yaml", &text).unwrap().warnings()[0].message.contains("no `default_target`"));
    }

    #[test]
    fn the_documented_example_is_good() {
        let page = include_str!("../../../docs/POLICY.md");
        let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let policy = Policy::parse("example", example).unwrap();
        assert_eq!(policy.warnings(), []);
    }

    #[test]
    fn every_key_of_the_schema_has_a_description() {
        fn walk(schema: &Value, path: &str, missing: &mut Vec<String>) {
            for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if property.get("description").is_none() {
                    missing.push(format!("{path}.{key}"));
                }
            }
            for (name, schema) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
                walk(schema, name, missing);
            }
        }
        let mut missing = Vec::new();
        walk(&schema(), "", &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
        assert!(!schema().to_string().contains("null"), "a blank value is refused, so no editor should offer it");
    }

    #[test]
    fn an_empty_file_is_one_problem() {
        assert_eq!(problems(""), ["p.yaml:1:1: the file is empty"]);
    }
}
