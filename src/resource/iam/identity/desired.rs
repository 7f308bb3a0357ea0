//! What an identity can be told to be, as data.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::driver::Fault;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Desired {
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) role_arn: Option<String>,
    #[serde(default)]
    pub(super) permissions_boundary: Option<String>,
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    #[default]
    AccessKey,
    Role,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Desired {
    /// The catalog has checked the schema, so what does not fit is a defect.
    pub(super) fn read(value: &Value) -> Result<Self, Fault> {
        Self::deserialize(value).map_err(|error| {
            Fault::bug("the desired state of the identity does not fit its kind").with_detail(error.to_string())
        })
    }

    /// The policy document. A statement without actions or resources grants nothing and is left out, so that an offering
    /// can say "on the dead-letter queue, if there is one" without a condition around the whole statement. Version 2012-10-17, because only there `${*}`, `${?}` and `${$}` mean the characters
    /// themselves (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>).
    pub(super) fn policy(&self) -> Value {
        let statements: Vec<Value> = self
            .statements
            .iter()
            .filter(|statement| !statement.actions.is_empty() && !statement.resources.is_empty())
            .map(|statement| {
                let mut value =
                    json!({ "Effect": "Allow", "Action": statement.actions, "Resource": statement.resources });
                if !statement.conditions.is_empty() {
                    value["Condition"] = json!(statement.conditions);
                }
                value
            })
            .collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

/// A live binding keeps its credentials, so who it is cannot change; what it may do can.
pub(super) const MUTABLE: &[&str] = &["permissions_boundary", "statements"];

pub(super) fn schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": false,
        "required": ["statements"],
        "properties": {
            "mode": {
                "enum": ["access-key", "role"], "default": "access-key",
                "description": "access-key: an IAM user of its own with one access key. role: an inline policy on a role of the caller's, and no key."
            },
            "role_arn": {
                "type": "string", "x-reference": "role", "pattern": "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$",
                "description": "Mode role: the role, in the target's account."
            },
            "permissions_boundary": {
                "type": "string", "x-reference": "permissions-boundary", "pattern": "^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$",
                "description": "Mode access-key: ARN of the managed policy that bounds the user's permissions; if absent, the target's boundary does."
            },
            "statements": {
                "type": "array", "minItems": 1, "maxItems": 50,
                "description": "What the identity may do.",
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["actions", "resources"],
                    "properties": {
                        "actions": {
                            "type": "array", "items": { "type": "string", "pattern": "^[a-z0-9-]+:[A-Za-z*]+$" },
                            "description": "IAM actions, `s3:GetObject`; none: the statement is left out."
                        },
                        "resources": {
                            "type": "array", "items": { "type": "string", "minLength": 1, "x-iam-pattern": true },
                            "description": "ARN patterns; none: the statement is left out. User text in them goes through the filter `literal`."
                        },
                        "conditions": {
                            "type": "object",
                            "description": "Operator, condition key, values: `StringLike: { \"s3:prefix\": [\"a/*\"] }`.",
                            "additionalProperties": {
                                "type": "object", "description": "By condition key.",
                                "additionalProperties": { "type": "array", "items": { "type": "string", "x-iam-pattern": true }, "description": "Values." }
                            }
                        }
                    }
                }
            }
        },
        "allOf": [
            { "if": { "properties": { "mode": { "const": "role" } }, "required": ["mode"] }, "then": { "required": ["role_arn"] } }
        ]
    })
}
