//! What a driver is told besides the desired state.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::osb::Uid;

/// An AWS account, region and role in which an instance lives. It comes from the administrator's file alone and is pinned
/// on the instance when it is made.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The administrator's name for it.
    pub name: String,
    /// The 12 digits of the account.
    pub account: String,
    /// The region, `eu-central-1`.
    pub region: String,
    /// `aws`, `aws-cn`, `aws-us-gov`: the second part of every ARN there.
    #[serde(default = "aws_partition")]
    pub partition: String,
    /// The role to assume in that account; none: the broker's own credentials. A refused assume-role never falls back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The ExternalId to assume it with (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html>).
    /// Semi-secret: `Debug` does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The permissions boundary of every IAM principal made there, whether an offering asks for one or not
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
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
            .finish()
    }
}

fn aws_partition() -> String {
    "aws".to_owned()
}

/// What a driver is told besides the desired state.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where the thing lives.
    pub target: Target,
    /// Whose it is: the uid of the instance or binding, the value of the owner tag ([`Context::OWNER_TAG`]).
    pub owner: Uid,
    /// The thing's name as its row holds it; it carries the owner's uid, so nobody else derives the same one.
    pub name: String,
    /// An idempotency token for AWS calls that take one: stable for this thing, 64 characters at most, `[a-z0-9-]`.
    pub token: String,
    /// The tags to put on the thing, owner tag included.
    pub tags: BTreeMap<String, String>,
    /// No call was made for this thing before, so there is no need to look for it first.
    pub first: bool,
}

impl Context {
    /// The tag by which a driver recognises its owner's things.
    pub const OWNER_TAG: &'static str = "chandlery:owner";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_target_is_read_with_its_boundary_and_shows_no_external_id() {
        let target: Target = serde_json::from_value(serde_json::json!({
            "name": "main", "account": "123456789012", "region": "eu-central-1", "external_id": "hush",
            "permissions_boundary": "arn:aws:iam::123456789012:policy/edge", "tags": { "team": "a" }, "settings": {},
        }))
        .unwrap();
        let shown = format!("{target:?}");
        assert!(!shown.contains("hush") && shown.contains("policy/edge"), "{shown}");
    }
}
