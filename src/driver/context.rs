//! What a driver is told besides the desired state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::osb::Uid;

/// An AWS account, region and role in which an instance lives. It comes from the administrator's file alone and is pinned
/// on the instance when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
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
