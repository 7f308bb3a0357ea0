//! What a queue can be told to be, as data, and as the attributes that SQS knows.
//!
//! Names, limits and defaults: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::driver::Fault;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Desired {
    pub(super) fifo: bool,
    pub(super) delay_seconds: Option<u32>,
    pub(super) max_message_bytes: Option<u32>,
    pub(super) retention_seconds: Option<u32>,
    pub(super) receive_wait_seconds: Option<u32>,
    pub(super) visibility_timeout_seconds: Option<u32>,
    pub(super) content_based_deduplication: bool,
    pub(super) deduplication_scope: Option<String>,
    pub(super) fifo_throughput_limit: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) kms_data_key_reuse_seconds: Option<u32>,
    pub(super) dead_letter_queue: Option<String>,
    pub(super) max_receive_count: Option<u32>,
    pub(super) redrive_allowed_from: Vec<String>,
    pub(super) when_not_empty: WhenNotEmpty,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WhenNotEmpty {
    #[default]
    Delete,
    Refuse,
}

impl Desired {
    /// The catalog has checked the schema, so what does not fit is a defect.
    pub(super) fn read(value: &Value) -> Result<Self, Fault> {
        Self::deserialize(value).map_err(|error| {
            Fault::bug("the desired state of the queue does not fit its kind").with_detail(error.to_string())
        })
    }

    /// For `CreateQueue`: what is said, and nothing that is to be absent.
    pub(super) fn at_creation(&self, arn: &str) -> HashMap<Name, String> {
        let mut all = self.changeable(arn);
        all.retain(|_, value| !value.is_empty());
        if self.fifo {
            // Never "false": SQS takes the attribute for FIFO queues only.
            all.insert(Name::FifoQueue, "true".to_owned());
        }
        if self.kms_key.is_some() {
            all.remove(&Name::SqsManagedSseEnabled);
        }
        all
    }

    /// For `SetQueueAttributes`: every attribute that can change; an empty text takes one away.
    pub(super) fn changeable(&self, arn: &str) -> HashMap<Name, String> {
        let number = |given: Option<u32>, default: u32| given.unwrap_or(default).to_string();
        let mut all = HashMap::from([
            (Name::DelaySeconds, number(self.delay_seconds, 0)),
            (Name::MaximumMessageSize, number(self.max_message_bytes, 1_048_576)),
            (Name::MessageRetentionPeriod, number(self.retention_seconds, 345_600)),
            (Name::ReceiveMessageWaitTimeSeconds, number(self.receive_wait_seconds, 0)),
            (Name::VisibilityTimeout, number(self.visibility_timeout_seconds, 30)),
            (Name::Policy, tls_only(arn).to_string()),
            (Name::SqsManagedSseEnabled, self.kms_key.is_none().to_string()),
            (Name::KmsMasterKeyId, self.kms_key.clone().unwrap_or_default()),
        ]);
        if self.kms_key.is_some() {
            all.insert(Name::KmsDataKeyReusePeriodSeconds, number(self.kms_data_key_reuse_seconds, 300));
        }
        let redrive = self.dead_letter_queue.as_ref().map(|arn| {
            let count = self.max_receive_count.unwrap_or(10);
            json!({ "deadLetterTargetArn": arn, "maxReceiveCount": count }).to_string()
        });
        all.insert(Name::RedrivePolicy, redrive.unwrap_or_default());
        let allow = (!self.redrive_allowed_from.is_empty()).then(|| {
            json!({ "redrivePermission": "byQueue", "sourceQueueArns": self.redrive_allowed_from }).to_string()
        });
        all.insert(Name::RedriveAllowPolicy, allow.unwrap_or_default());
        if self.fifo {
            let text = |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
            all.insert(Name::ContentBasedDeduplication, self.content_based_deduplication.to_string());
            all.insert(Name::DeduplicationScope, text(&self.deduplication_scope, "queue"));
            all.insert(Name::FifoThroughputLimit, text(&self.fifo_throughput_limit, "perQueue"));
        }
        all
    }
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html>, "Enforce
/// encryption of data in transit".
fn tls_only(arn: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }],
    })
}

/// FIFO or not is decided once; everything else can change.
pub(super) const MUTABLE: &[&str] = &[
    "delay_seconds",
    "max_message_bytes",
    "retention_seconds",
    "receive_wait_seconds",
    "visibility_timeout_seconds",
    "content_based_deduplication",
    "deduplication_scope",
    "fifo_throughput_limit",
    "kms_key",
    "kms_data_key_reuse_seconds",
    "dead_letter_queue",
    "max_receive_count",
    "redrive_allowed_from",
    "when_not_empty",
];

pub(super) fn schema() -> Value {
    let seconds = |minimum: u32, maximum: u32, default: u32, description: &str| json!({ "type": "integer", "minimum": minimum, "maximum": maximum, "default": default, "description": description });
    let arn = "^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:.+$";
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "fifo": { "type": "boolean", "default": false, "description": "First in, first out; the name then ends in `.fifo`." },
            "delay_seconds": seconds(0, 900, 0, "How long a new message stays hidden."),
            "max_message_bytes": seconds(1024, 1_048_576, 1_048_576, "The largest message."),
            "retention_seconds": seconds(60, 1_209_600, 345_600, "How long a message that nobody deletes is kept."),
            "receive_wait_seconds": seconds(0, 20, 0, "How long a receive waits for a message (long polling)."),
            "visibility_timeout_seconds": seconds(0, 43_200, 30, "How long a received message stays hidden from other receivers."),
            "content_based_deduplication": { "type": "boolean", "default": false, "description": "FIFO: a message's body is its deduplication id." },
            "deduplication_scope": { "enum": ["queue", "messageGroup"], "default": "queue", "description": "FIFO: among which messages duplicates are looked for." },
            "fifo_throughput_limit": { "enum": ["perQueue", "perMessageGroupId"], "default": "perQueue", "description": "FIFO: what the throughput quota counts for; perMessageGroupId needs deduplication_scope messageGroup." },
            "kms_key": { "type": "string", "minLength": 1, "x-reference": "kms-key", "description": "Id, ARN or alias of the KMS key that encrypts new messages; of the queue's region. Without it SQS's own keys do (SSE-SQS)." },
            "kms_data_key_reuse_seconds": seconds(60, 86_400, 300, "How long SQS uses a data key before it asks KMS again."),
            "dead_letter_queue": { "type": "string", "x-reference": "dead-letter-queue", "pattern": arn, "description": "ARN of the queue for messages that were received too often; FIFO for a FIFO queue." },
            "max_receive_count": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 10, "description": "After how many receives a message goes to the dead-letter queue." },
            "redrive_allowed_from": {
                "type": "array", "maxItems": 10, "items": { "type": "string", "pattern": arn },
                "description": "For a dead-letter queue: ARNs of the queues that may use it as such; none: any of the account."
            },
            "when_not_empty": { "enum": ["delete", "refuse"], "default": "delete", "description": "What deleting the queue does while messages are in it." }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_says_nothing_that_is_to_be_absent_and_a_change_takes_it_away() {
        let desired = Desired { fifo: true, ..Desired::default() };
        let (create, change) = (desired.at_creation("arn"), desired.changeable("arn"));
        assert!(!create.contains_key(&Name::RedrivePolicy) && !create.contains_key(&Name::KmsMasterKeyId));
        assert_eq!(change[&Name::RedrivePolicy], "");
        assert_eq!(create[&Name::FifoQueue], "true");
        assert!(!change.contains_key(&Name::FifoQueue));
        let plain = Desired::default().at_creation("arn");
        assert!(!plain.contains_key(&Name::FifoQueue) && !plain.contains_key(&Name::DeduplicationScope));
    }
}
