//! Tags, each by AWS's rules (<https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>), as strict
//! as the strictest service needs; and all together that may come together on one thing: the file's, a target's, its rules'.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Findings, join};

/// AWS takes 50 on a thing; the broker's own (owner, instance, binding, plan, platform, …) need room.
const MOST: usize = 30;

/// One tag, where it stands.
struct Tag {
    at: String,
    key: String,
    value: String,
}

pub(super) fn check(findings: &mut Findings) {
    let all = |list: &str| -> Vec<(String, Vec<Tag>)> {
        let items = findings.document.value.get(list).and_then(Value::as_array).into_iter().flatten();
        let place = |(index, item)| (format!("/{list}/{index}"), item);
        items.enumerate().map(place).map(|(at, item)| (at.clone(), tags(item, &at))).collect()
    };
    let (targets, rules) = (all("targets"), all("rules"));
    let file = tags(&findings.document.value, "");
    let of_rules = || rules.iter().flat_map(|(_, tags)| tags);
    let every = || file.iter().chain(targets.iter().flat_map(|(_, tags)| tags)).chain(of_rules());
    every().for_each(|tag| legal(findings, tag));
    spelling(findings, every());
    for (target, own) in &targets {
        let keys: BTreeSet<&str> = file.iter().chain(own).chain(of_rules()).map(|tag| tag.key.as_str()).collect();
        if keys.len() > MOST {
            let message = format!(
                "{} tags of the file, this target and the rules may come together, AWS and the broker's own leave room for {MOST}",
                keys.len()
            );
            findings.wrong(&join(target, "tags"), message);
        }
    }
}

/// The tags of the file, a target or a rule. What is no text is the schema's to tell.
fn tags(holder: &Value, pointer: &str) -> Vec<Tag> {
    let at = join(pointer, "tags");
    let tags = holder.get("tags").and_then(Value::as_object).into_iter().flatten();
    let texts = tags.filter_map(|(key, value)| Some((key, value.as_str()?)));
    texts.map(|(key, value)| Tag { at: join(&at, key), key: key.clone(), value: value.to_owned() }).collect()
}

fn legal(findings: &mut Findings, Tag { at, key, value }: &Tag) {
    // Narrower than AWS, whose letters and digits of other scripts are not those of Rust.
    let legal = |text: &str| text.chars().all(|one| one.is_ascii_alphanumeric() || " _.:/=+-@".contains(one));
    let prefix = key.to_ascii_lowercase();
    if key.is_empty() || key.chars().count() > 128 || !legal(key) {
        findings.wrong(at, "the key of a tag must be 1 to 128 letters (a to z), digits, spaces and `_.:/=+-@`");
    } else if prefix.starts_with("aws:") || prefix.starts_with("chandlery:") {
        findings.wrong(at, "keys that begin with `aws:` or `chandlery:` are reserved");
    }
    if value.chars().count() > 256 || !legal(value) {
        findings.wrong(at, "the value of a tag must be at most 256 letters (a to z), digits, spaces and `_.:/=+-@`");
    }
}

/// IAM takes two keys that differ only in case for one given twice, other services for two tags: nobody can want that.
fn spelling<'t>(findings: &mut Findings, tags: impl Iterator<Item = &'t Tag>) {
    let mut known: BTreeMap<String, &Tag> = BTreeMap::new();
    for tag in tags {
        let first = known.entry(tag.key.to_lowercase()).or_insert(tag);
        if first.key != tag.key {
            let line = findings.document.problem(&first.at, "").line.unwrap_or_default();
            let message = format!(
                "{:?} and {:?} (in line {line}) differ only in case, which IAM refuses: spell both alike",
                tag.key, first.key
            );
            findings.wrong(&tag.at, message);
        }
    }
}
