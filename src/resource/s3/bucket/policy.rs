//! The bucket's own policy.
//!
//! It only ever takes away (and lets S3's log delivery in where asked): who may do what is said by the identities that
//! bindings make.

use serde_json::{Value, json};

use super::desired::Desired;
use crate::aws::Caller;

/// The actions on contents that the restriction to a VPC covers. Settings are left out on purpose: a wrong VPC must stay
/// repairable, by the broker and by the account's administrators
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies-vpc-endpoint.html> warns of it).
const CONTENT: &[&str] = &[
    "s3:GetObject*",
    "s3:PutObject*",
    "s3:DeleteObject*",
    "s3:RestoreObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
];

/// The policy document. `broker` is who may pass the VPC restriction, because it has to empty the bucket in the end;
/// needed only with [`Desired::vpc`].
pub(super) fn document(arn: &str, account: &str, desired: &Desired, broker: Option<&Caller>) -> Value {
    let everything = json!([arn, format!("{arn}/*")]);
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html, "Enforce encryption of data in
    // transit".
    let mut statements = vec![json!({
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })];
    if let Some(vpc) = &desired.vpc {
        // A role is known by its unique id and any session name, a user or the root by the id alone
        // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable). Requests that
        // an AWS service makes on somebody's behalf carry no VPC; what they may do is said elsewhere.
        let broker: Vec<String> =
            broker.map(|b| vec![b.unique_id.clone(), format!("{}:*", b.unique_id)]).unwrap_or_default();
        statements.push(json!({
            "Sid": "OnlyFromTheVpc",
            "Effect": "Deny",
            "Principal": "*",
            "Action": CONTENT,
            "Resource": everything,
            "Condition": {
                "StringNotEquals": { "aws:SourceVpc": vpc },
                "StringNotLike": { "aws:userid": broker },
                "BoolIfExists": { "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false" },
            },
        }));
    }
    if desired.accept_access_logs {
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html#grant-log-delivery-permissions-general
        statements.push(json!({
            "Sid": "AccessLogs",
            "Effect": "Allow",
            "Principal": { "Service": "logging.s3.amazonaws.com" },
            "Action": "s3:PutObject",
            "Resource": format!("{arn}/*"),
            "Condition": { "StringEquals": { "aws:SourceAccount": account } },
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vpc_restriction_leaves_the_settings_and_the_broker_alone() {
        let desired = Desired { vpc: Some("vpc-12345678".to_owned()), ..Desired::default() };
        let broker = Caller { account: "1".to_owned(), unique_id: "AROAX".to_owned() };
        let document = document("arn:aws:s3:::b", "1", &desired, Some(&broker));
        let restriction = &document["Statement"][1];
        let actions = restriction["Action"].as_array().unwrap();
        assert!(!actions.iter().any(|action| action.as_str().unwrap().contains("Policy") || action == "s3:*"));
        assert_eq!(restriction["Condition"]["StringNotLike"]["aws:userid"], json!(["AROAX", "AROAX:*"]));
    }
}
