//! Accounts, regions and roles.

use std::collections::BTreeMap;

use super::super::Target;
use super::super::format::TargetEntry;
use super::super::target::{Arn, is_region, partition_of};
use super::{Findings, join};

pub(super) fn check(findings: &mut Findings) -> BTreeMap<String, Target> {
    let entries: Vec<(String, TargetEntry)> = findings.elements("targets");
    if findings.document.value["targets"].as_array().is_some_and(Vec::is_empty) {
        findings.wrong("/targets", "there is no target, so no instance could live anywhere: add one");
    }
    let (mut targets, mut names) = (BTreeMap::new(), Vec::new());
    for (pointer, entry) in entries {
        findings.check_name(&pointer, &entry.name, &mut names);
        let target = read(findings, &pointer, entry);
        targets.insert(target.name.clone(), target);
    }
    targets
}

fn read(findings: &mut Findings, pointer: &str, entry: TargetEntry) -> Target {
    let before = findings.problems.len();
    if entry.account.len() != 12 || !entry.account.bytes().all(|byte| byte.is_ascii_digit()) {
        findings.wrong(&join(pointer, "account"), "must be the 12 digits of an AWS account, in quotes");
    }
    let usual = partition_of(&entry.region);
    if !is_region(&entry.region) {
        findings.wrong(&join(pointer, "region"), "must be the name of an AWS region, such as `eu-central-1`");
    } else if let Some(partition) = entry.partition.as_ref().filter(|partition| *partition != usual) {
        let message = format!("region {} is in partition {usual}, not {partition:?}", entry.region);
        findings.wrong(&join(pointer, "partition"), message);
    }
    let target = Target {
        name: entry.name,
        account: entry.account,
        region: entry.region,
        partition: usual.to_owned(),
        role_arn: entry.role_arn,
        external_id: entry.external_id,
        permissions_boundary: entry.permissions_boundary,
        tags: entry.tags.unwrap_or_default(),
        settings: entry.settings.unwrap_or_default(),
    };
    // Without a sound account and region there is nothing to hold ARNs against.
    if findings.problems.len() == before {
        if let Some(arn) = &target.role_arn {
            check_iam_arn(findings, &join(pointer, "role_arn"), arn, "role", &target);
        }
        if let Some(arn) = &target.permissions_boundary {
            check_iam_arn(findings, &join(pointer, "permissions_boundary"), arn, "policy", &target);
        }
    }
    if let Some(id) = &target.external_id {
        let at = join(pointer, "external_id");
        // STS AssumeRole, ExternalId: 2 to 1224 of [\w+=,.@:\/-].
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
        if !(2..=1224).contains(&id.len()) || !id.bytes().all(legal) {
            findings.wrong(&at, "must be 2 to 1224 letters, digits and `_+=,.@:/-`");
        }
        if target.role_arn.is_none() {
            findings.wrong(&at, "is of no use without `role_arn`: add the role to assume with it, or leave it out");
        }
    }
    target
}

/// `kind` is `role` or `policy`. AWS's own policies (account `aws`) may be boundaries.
fn check_iam_arn(findings: &mut Findings, at: &str, text: &str, kind: &str, target: &Target) {
    let form = format!("arn:{}:iam::{}:{kind}/NAME", target.partition, target.account);
    let Some(arn) = Arn::parse(text) else {
        return findings.wrong(at, format!("must be an ARN of the form {form}"));
    };
    let name = arn.resource.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&byte);
    if arn.service != "iam" || !arn.region.is_empty() || name.is_empty() || !name.bytes().all(legal) {
        findings.wrong(at, format!("must be the ARN of an IAM {kind}, of the form {form}"));
    } else if arn.partition != target.partition {
        findings.wrong(at, format!("is in partition {:?}, but this target is in {}", arn.partition, target.partition));
    } else if arn.account != target.account && !(kind == "policy" && arn.account == "aws") {
        findings.wrong(at, format!("is of account {}, but this target is account {}", arn.account, target.account));
    }
}
