//! What a bucket can be told to be, as data: the JSON Schema that the catalog checks, and the same read by serde.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::driver::Fault;

/// The desired state of a bucket.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Desired {
    pub(super) versioning: bool,
    pub(super) kms_key: Option<String>,
    pub(super) lifecycle: Vec<LifecycleRule>,
    pub(super) cors: Vec<CorsRule>,
    pub(super) object_lock: bool,
    pub(super) retention: Option<Retention>,
    pub(super) log_bucket: Option<String>,
    pub(super) log_prefix: String,
    pub(super) accept_access_logs: bool,
    pub(super) event_bridge: bool,
    pub(super) vpc: Option<String>,
    pub(super) when_not_empty: WhenNotEmpty,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LifecycleRule {
    pub(super) prefix: String,
    pub(super) expire_after_days: Option<i32>,
    pub(super) expire_old_versions_after_days: Option<i32>,
    pub(super) transitions: Vec<Transition>,
    pub(super) old_version_transitions: Vec<Transition>,
    pub(super) abort_uploads_after_days: Option<i32>,
}

impl LifecycleRule {
    /// A rule that does nothing is refused by S3, so it is left out.
    pub(super) fn does_something(&self) -> bool {
        self.expire_after_days.is_some()
            || self.expire_old_versions_after_days.is_some()
            || self.abort_uploads_after_days.is_some()
            || !self.transitions.is_empty()
            || !self.old_version_transitions.is_empty()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transition {
    pub(super) after_days: i32,
    pub(super) storage_class: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorsRule {
    pub(super) allowed_origins: Vec<String>,
    pub(super) allowed_methods: Vec<String>,
    #[serde(default)]
    pub(super) allowed_headers: Vec<String>,
    #[serde(default)]
    pub(super) expose_headers: Vec<String>,
    #[serde(default)]
    pub(super) max_age_seconds: Option<i32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) mode: String,
    pub(super) days: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WhenNotEmpty {
    #[default]
    Refuse,
    Delete,
}

impl Desired {
    /// The catalog has checked the schema, so what does not fit is a defect.
    pub(super) fn read(value: &Value) -> Result<Self, Fault> {
        Self::deserialize(value).map_err(|error| {
            Fault::bug("the desired state of the bucket does not fit its kind").with_detail(error.to_string())
        })
    }
}

/// What can change in place. Object Lock can only be chosen when a bucket is made
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html>): S3 lets it be switched on later,
/// but never off again, so an update that fails could not go back.
pub(super) const MUTABLE: &[&str] = &[
    "versioning",
    "kms_key",
    "lifecycle",
    "cors",
    "retention",
    "log_bucket",
    "log_prefix",
    "accept_access_logs",
    "event_bridge",
    "vpc",
    "when_not_empty",
];

pub(super) fn schema() -> Value {
    let days =
        |description: &str| json!({ "type": "integer", "minimum": 1, "maximum": 36500, "description": description });
    let transitions = |description: &str| {
        json!({
            "type": "array", "maxItems": 10, "description": description,
            "items": {
                "type": "object", "additionalProperties": false, "required": ["after_days", "storage_class"],
                "properties": {
                    "after_days": { "type": "integer", "minimum": 0, "maximum": 36500, "description": "Days after the object (or its successor) was written." },
                    "storage_class": {
                        "description": "Where it goes.",
                        "enum": ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
                    }
                }
            }
        })
    };
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
    let one_star = "^[^*]*[*]?[^*]*$";
    let texts = |pattern: &str, description: &str| json!({ "type": "array", "items": { "type": "string", "pattern": pattern }, "maxItems": 100, "description": description });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "versioning": { "type": "boolean", "default": false, "description": "Keep old versions of objects. Switched off later, the versions that exist stay." },
            "kms_key": { "type": "string", "minLength": 1, "x-reference": "kms-key", "description": "ARN of the KMS key that encrypts new objects, through an S3 Bucket Key; of the bucket's region. Without it S3's own keys do (SSE-S3)." },
            "lifecycle": {
                "type": "array", "maxItems": 1000, "description": "What happens to objects as they age.",
                "items": {
                    "type": "object", "additionalProperties": false,
                    "properties": {
                        "prefix": { "type": "string", "maxLength": 1024, "description": "Which objects; without it all." },
                        "expire_after_days": days("Delete objects this long after they were written."),
                        "expire_old_versions_after_days": days("Delete versions this long after a newer one replaced them."),
                        "transitions": transitions("Move objects to cheaper storage classes."),
                        "old_version_transitions": transitions("Move replaced versions to cheaper storage classes."),
                        "abort_uploads_after_days": days("Drop the parts of multipart uploads that were not finished in this time.")
                    }
                }
            },
            "cors": {
                "type": "array", "maxItems": 100, "description": "Which web pages may use the bucket.",
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["allowed_origins", "allowed_methods"],
                    "properties": {
                        "allowed_origins": texts(one_star, "Origins, `https://app.example.org`; one `*` at most."),
                        "allowed_methods": { "type": "array", "minItems": 1, "items": { "enum": ["GET", "PUT", "POST", "DELETE", "HEAD"] }, "description": "HTTP methods." },
                        "allowed_headers": texts(one_star, "Request headers; one `*` at most."),
                        "expose_headers": texts("^[^*]+$", "Response headers that scripts may read; no `*`."),
                        "max_age_seconds": { "type": "integer", "minimum": 0, "description": "How long a browser may keep the answer." }
                    }
                }
            },
            "object_lock": { "type": "boolean", "default": false, "description": "Objects can be locked against deletion. Only at creation; switches versioning on for good." },
            "retention": {
                "type": "object", "additionalProperties": false, "required": ["mode", "days"],
                "description": "How long every new object is locked, unless its writer says otherwise. Needs object_lock.",
                "properties": {
                    "mode": { "enum": ["GOVERNANCE", "COMPLIANCE"], "description": "Whether a special permission can lift the lock (GOVERNANCE) or nobody can (COMPLIANCE)." },
                    "days": { "type": "integer", "minimum": 1, "maximum": 36500, "description": "Days." }
                }
            },
            "log_bucket": { "type": "string", "minLength": 3, "x-reference": "log-bucket", "description": "Bucket of the same account and region that receives the access logs." },
            "log_prefix": { "type": "string", "maxLength": 800, "description": "What the names of log objects begin with." },
            "accept_access_logs": { "type": "boolean", "default": false, "description": "Let S3 deliver access logs of other buckets of the same account here." },
            "event_bridge": { "type": "boolean", "default": false, "description": "Send the bucket's events to Amazon EventBridge." },
            "vpc": { "type": "string", "x-reference": "vpc", "pattern": "^vpc-[0-9a-f]{8,17}$", "description": "Only requests from this VPC may touch objects." },
            "when_not_empty": { "enum": ["refuse", "delete"], "default": "refuse", "description": "What deleting the bucket does while objects are in it: refuse, or delete them all, versions and unfinished uploads included." }
        }
    })
}
