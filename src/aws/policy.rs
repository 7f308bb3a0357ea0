//! The broker's own IAM policy in a target, generated from what the kinds say they call, never written by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::driver::Registry;

/// What the policy is narrowed to.
#[derive(Clone, Debug)]
pub struct Scope {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The account of the target.
    pub account: String,
    /// How every name that the broker gives begins, up to the dash.
    pub name_prefix: String,
    /// The permissions boundary that every user of the broker must carry. With it the broker cannot make a user that may
    /// do more than the boundary says, whatever it writes into the user's policy
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>).
    pub permissions_boundary: Option<String>,
}

/// The path of the broker's IAM users, part of their ARNs: its policy and the search for orphans go by it.
pub(crate) const IAM_PATH: &str = "/chandlery/";

/// The policy document for the role of a target (or the broker's own, where a target has none).
///
/// Which actions can be narrowed to a resource is taken from the Service Authorization Reference:
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>, `list_amazonsqs.html`,
/// `list_awsidentityandaccessmanagementiam.html`.
pub fn least_privilege(registry: &Registry, scope: &Scope) -> Value {
    let mut groups: BTreeMap<Group, BTreeSet<&'static str>> = BTreeMap::new();
    for action in registry.kinds().flat_map(|kind| kind.actions) {
        // A user without its boundary could do whatever its policy says, and its policy is the broker's to write.
        if scope.permissions_boundary.is_none() || *action != TAKES_BOUNDARY_OFF {
            groups.entry(Group::of(action)).or_default().insert(action);
        }
    }
    let mut statements: Vec<Value> = groups
        .into_iter()
        .map(|(group, actions)| {
            let mut statement = json!({
                "Sid": format!("{group:?}"),
                "Effect": "Allow",
                "Action": actions,
                "Resource": group.resource(scope),
            });
            if let (Group::IamUserPowers, Some(boundary)) = (group, &scope.permissions_boundary) {
                statement["Condition"] = json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } });
            }
            statement
        })
        .collect();
    if scope.permissions_boundary.is_some() {
        // Said aloud, since the role may have other policies.
        let deny = json!({ "Sid": "KeepBoundaries", "Effect": "Deny", "Action": TAKES_BOUNDARY_OFF, "Resource": "*" });
        statements.push(deny);
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

const TAKES_BOUNDARY_OFF: &str = "iam:DeleteUserPermissionsBoundary";

/// Actions that are narrowed in the same way; the name is the statement's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Anywhere,
    IamGroups,
    IamRoles,
    IamUserPowers,
    IamUsers,
    S3Buckets,
    S3Objects,
    SqsQueues,
}

impl Group {
    fn of(action: &str) -> Self {
        let (service, verb) = action.split_once(':').unwrap_or((action, ""));
        match service {
            "s3" if verb == "ListAllMyBuckets" => Self::Anywhere,
            // Bucket settings that have "Object" in their names, too.
            "s3" if verb.ends_with("ObjectLockConfiguration") => Self::S3Buckets,
            "s3" if verb.contains("Object") || verb == "AbortMultipartUpload" => Self::S3Objects,
            "s3" => Self::S3Buckets,
            "sqs" if verb == "ListQueues" => Self::Anywhere,
            "sqs" => Self::SqsQueues,
            "iam" if verb == "ListUsers" => Self::Anywhere,
            // Asked of the group and not of the user.
            "iam" if verb == "RemoveUserFromGroup" => Self::IamGroups,
            "iam" if verb.contains("Role") => Self::IamRoles,
            // The actions that know the condition key iam:PermissionsBoundary.
            "iam" if ["CreateUser", "PutUserPolicy", "PutUserPermissionsBoundary"].contains(&verb) => {
                Self::IamUserPowers
            }
            "iam" => Self::IamUsers,
            _ => Self::Anywhere,
        }
    }

    fn resource(self, scope: &Scope) -> String {
        let Scope { partition, account, name_prefix, .. } = scope;
        match self {
            Self::Anywhere => "*".to_owned(),
            Self::S3Buckets => format!("arn:{partition}:s3:::{name_prefix}-*"),
            Self::S3Objects => format!("arn:{partition}:s3:::{name_prefix}-*/*"),
            Self::SqsQueues => format!("arn:{partition}:sqs:*:{account}:{name_prefix}-*"),
            // A user of ours is in a group only if a person put it there, so which groups cannot be known.
            Self::IamGroups => format!("arn:{partition}:iam::{account}:group/*"),
            // Which roles a caller may name is the administrator's allow-list; narrow this one by hand to the same.
            Self::IamRoles => format!("arn:{partition}:iam::{account}:role/*"),
            Self::IamUserPowers | Self::IamUsers => {
                format!("arn:{partition}:iam::{account}:user{IAM_PATH}{name_prefix}-*")
            }
        }
    }
}
