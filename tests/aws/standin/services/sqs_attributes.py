"""The attributes of a queue: names, ranges, combinations, and how they are given back.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html and
.../API_CreateQueue.html (ranges, FIFO, RedriveAllowPolicy, one kind of encryption per queue),
.../SQSDeveloperGuide/sqs-key-management.html.
"""

import json

from ..errors import AwsError
from ..grammar import Malformed, resource_policy

RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1048576),
    "MessageRetentionPeriod": (60, 1209600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43200),
    "KmsDataKeyReusePeriodSeconds": (60, 86400),
}
BOOLEANS = ("FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled")
CHOICES = {"DeduplicationScope": ("messageGroup", "queue"), "FifoThroughputLimit": ("perQueue", "perMessageGroupId")}
TEXTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
SETTABLE = set(RANGES) | set(BOOLEANS) | set(CHOICES) | set(TEXTS)
FIFO_ONLY = ("FifoQueue", "ContentBasedDeduplication", *CHOICES)
READABLE = SETTABLE | {
    "All",
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
}
DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


def unknown(name):
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid(name, why=None):
    return AwsError(
        "InvalidAttributeValue", f"Invalid value for the parameter {name}." + (f" Reason: {why}" if why else "")
    )


def check(attributes, fifo, creating, current):
    """Refuses what SQS refuses. `current` is what the queue has already."""
    for name, value in attributes.items():
        if name not in SETTABLE or (name == "FifoQueue" and not creating):
            raise unknown(name)
        if name in FIFO_ONLY and not fifo:
            raise unknown(name)
        if not isinstance(value, str):
            raise invalid(name)
        if name in RANGES:
            low, high = RANGES[name]
            if not value.isdigit() or not low <= int(value) <= high:
                raise invalid(name)
        elif name in BOOLEANS and value not in ("true", "false"):
            raise invalid(name)
        elif name in CHOICES and value not in CHOICES[name]:
            raise invalid(name)
    if creating and attributes.get("FifoQueue") == "false":
        raise invalid("FifoQueue")
    both = {**current, **attributes}
    if (
        both.get("FifoThroughputLimit") == "perMessageGroupId"
        and both.get("DeduplicationScope", "queue") != "messageGroup"
    ):
        raise invalid(
            "FifoThroughputLimit",
            "FifoThroughputLimit can be perMessageGroupId only when DeduplicationScope is messageGroup.",
        )
    if attributes.get("SqsManagedSseEnabled") == "true" and attributes.get("KmsMasterKeyId"):
        raise AwsError(
            "InvalidAttributeValue",
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        )


def check_redrive(text, fifo, find_queue):
    """A RedrivePolicy names a queue of the same kind that allows it."""
    policy = as_object("RedrivePolicy", text)
    if set(policy) != {"deadLetterTargetArn", "maxReceiveCount"}:
        raise invalid(
            "RedrivePolicy",
            "Redrive policy must have exactly the two parameters deadLetterTargetArn and maxReceiveCount.",
        )
    count = str(policy["maxReceiveCount"])
    if not count.isdigit() or not 1 <= int(count) <= 1000:
        raise invalid("RedrivePolicy", "Invalid value for maxReceiveCount. It must be between 1 and 1000.")
    target = find_queue(policy["deadLetterTargetArn"])
    if target is None:
        raise invalid("RedrivePolicy", "Dead letter target does not exist.")
    if target.fifo_queue != fifo:
        raise invalid("RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")
    return policy, target


def allows_source(target, source_arn):
    allow = getattr(target, "standin_allow", None)
    permission = (json.loads(allow) if allow else {}).get("redrivePermission", "allowAll")
    return permission == "allowAll" or (
        permission == "byQueue" and source_arn in json.loads(allow).get("sourceQueueArns", [])
    )


def check_redrive_allow(text):
    policy = as_object("RedriveAllowPolicy", text)
    permission = policy.get("redrivePermission")
    sources = policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue") or (sources is not None) != (permission == "byQueue"):
        raise invalid("RedriveAllowPolicy")
    if sources is not None and (not isinstance(sources, list) or not 1 <= len(sources) <= 10):
        raise invalid("RedriveAllowPolicy", "sourceQueueArns must have 1 to 10 entries.")


def as_object(name, text):
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise invalid(name)
    return value


def check_policy(text):
    try:
        resource_policy(text, "sqs", lambda resource: resource == "*" or resource.startswith("arn:aws:sqs:"))
    except Malformed as problem:
        raise invalid("Policy", str(problem) + ".") from None


def shown(queue):
    """Every attribute as GetQueueAttributes gives it."""
    found = {
        "QueueArn": queue.queue_arn,
        "CreatedTimestamp": str(int(float(queue.created_timestamp))),
        "LastModifiedTimestamp": str(int(getattr(queue, "standin_modified", None) or float(queue.created_timestamp))),
        "ApproximateNumberOfMessages": str(queue.approximate_number_of_messages),
        "ApproximateNumberOfMessagesNotVisible": str(queue.approximate_number_of_messages_not_visible),
        "ApproximateNumberOfMessagesDelayed": str(queue.approximate_number_of_messages_delayed),
    }
    return {**found, **{k: v for k, v in queue.standin.items() if v != ""}}
