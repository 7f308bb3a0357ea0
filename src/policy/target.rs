//! A target as the broker pins it on an instance, and the forms of AWS's own names.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An AWS account, region and role in which an instance lives. The broker stores it with the instance as JSON; its keys
/// are those of the driver's target, and more.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The administrator's name for it.
    pub name: String,
    /// The 12 digits of the account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The second part of every ARN there.
    pub partition: String,
    /// The role to assume; none: the broker's own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The ExternalId to assume it with. Semi-secret: `Debug` does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The permissions boundary of IAM users and roles made there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// Tags on everything made there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The administrator's own values for offerings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("account", &self.account)
            .field("region", &self.region)
            .field("partition", &self.partition)
            .field("role_arn", &self.role_arn)
            .field("external_id", &self.external_id.as_ref().map(|_| "…"))
            .field("permissions_boundary", &self.permissions_boundary)
            .field("tags", &self.tags)
            .field("settings", &self.settings)
            .finish()
    }
}

/// Whether it has the form of a region: `eu-central-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The partition of a region (botocore's `partitions.json`).
pub(super) fn partition_of(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// The parts of an ARN: `arn:partition:service:region:account:resource`.
pub(super) struct Arn<'a> {
    pub(super) partition: &'a str,
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_their_partitions() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("us-west-2", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert!(is_region(region), "{region}");
            assert_eq!(partition_of(region), partition);
        }
        for text in ["", "eu-central", "eu_central_1", "EU-CENTRAL-1", "eu-central-1a", "-central-1", "eu--1"] {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn an_external_id_is_stored_and_never_shown() {
        let target: Target = serde_json::from_value(serde_json::json!({
            "name": "main", "account": "123456789012", "region": "eu-central-1", "partition": "aws",
            "role_arn": "arn:aws:iam::123456789012:role/x", "external_id": "hush",
        }))
        .unwrap();
        assert!(!format!("{target:?}").contains("hush"));
        assert_eq!(serde_json::to_value(&target).unwrap()["external_id"], "hush");
    }
}
