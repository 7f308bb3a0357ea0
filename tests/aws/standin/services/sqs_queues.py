"""Queues: names, creation again, attributes, deletion.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html (the same name and
attributes give the same queue, others QueueNameExists; QueueDeletedRecently within 60 seconds, here only where the
test asked for it), .../API_GetQueueUrl.html, .../API_TagQueue.html. The attributes as they were set are
`queue.standin`; moto gets those that its messages obey.
"""

import re
import time

from moto.sqs.models import sqs_backends

from ..actions_kms import find_key
from ..actions_sqs import find_queue, queue_place
from ..errors import AwsError, Gap
from ..world import world
from . import registry
from . import sqs_attributes as attributes

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
COOLDOWN = 60
# What moto does of SQS as it stands; the rest is done here, or is a gap.
MOTO_DOES = {
    "SendMessage",
    "SendMessageBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "PurgeQueue",
}
MISSING = "The specified queue does not exist."
TO_MOTO = (
    *attributes.RANGES,
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "Policy",
    "RedrivePolicy",
    "KmsMasterKeyId",
)


@registry.locator("sqs")
def locate(call):
    """Queues of other accounts are found by their URL; a queue that is not there yet is not there."""
    if call.operation not in MOTO_DOES and registry.handlers(call).instead is None:
        raise Gap("sqs", call.operation, "not in this stand-in")
    account, name = queue_place(call)
    if name is None or call.operation == "CreateQueue":
        return
    queue = find_queue(account, call.region, name)
    if queue is None or world.account(account).visibility.hidden("queue", f"{call.region}/{name}"):
        raise AwsError("QueueDoesNotExist", MISSING)
    if not hasattr(queue, "standin"):
        queue.standin = {}
    call.queue = queue
    call.moto_account = account


def url_of(call, account, name):
    return f"http://{call.request.host}/{account}/{name}"


@registry.instead("sqs", "CreateQueue")
def create_queue(call):
    name, given = call.params["QueueName"], dict(call.params.get("Attributes") or {})
    account = world.account(call.account)
    fifo = given.get("FifoQueue") == "true"
    if not (FIFO_NAME if fifo else NAME).fullmatch(name):
        if fifo or name.endswith(".fifo"):
            raise AwsError(
                "InvalidParameterValue",
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end "
                "with .fifo suffix and be 1 to 80 in length.",
            )
        raise AwsError(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    attributes.check(given, fifo, True, {})
    check_tags(call.params.get("tags") or {})
    arn = f"arn:aws:sqs:{call.region}:{call.account}:{name}"
    check_documents(call, given, fifo, arn)
    backend = sqs_backends[call.account][call.region]
    existing = backend.queues.get(name)
    if existing is not None:
        if any(existing.standin.get(k, defaults(fifo).get(k, "")) != v for k, v in given.items()):
            raise AwsError(
                "QueueNameExists",
                f"A queue already exists with the same name and a different value for attribute "
                f"{next(k for k, v in given.items() if existing.standin.get(k, '') != v)}",
            )
        return {"QueueUrl": url_of(call, call.account, name)}
    deleted = account.deleted_queues.get((call.region, name))
    if account.queue_name_cooldown and deleted is not None and time.time() - deleted < COOLDOWN:
        raise AwsError(
            "QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        )
    queue = backend.create_queue(name, dict(call.params.get("tags") or {}), **({"FifoQueue": "true"} if fifo else {}))
    queue.standin = defaults(fifo)
    apply(queue, given)
    account.visibility.made("queue", f"{call.region}/{name}")
    return {"QueueUrl": url_of(call, call.account, name)}


def defaults(fifo):
    return {**attributes.DEFAULTS, **(attributes.FIFO_DEFAULTS if fifo else {})}


def check_documents(call, given, fifo, arn):
    def by_arn(text):
        parts = str(text).split(":")
        if len(parts) != 6 or parts[3] != call.region or parts[4] != arn.split(":")[4]:
            return None
        return find_queue(parts[4], parts[3], parts[5])

    if given.get("RedrivePolicy"):
        _, target = attributes.check_redrive(given["RedrivePolicy"], fifo, by_arn)
        if not attributes.allows_source(target, arn):
            raise attributes.invalid(
                "RedrivePolicy", "The dead letter queue's RedriveAllowPolicy does not allow this source queue."
            )
    if given.get("RedriveAllowPolicy"):
        attributes.check_redrive_allow(given["RedriveAllowPolicy"])
    if given.get("Policy"):
        attributes.check_policy(given["Policy"])


def apply(queue, given):
    if given.get("KmsMasterKeyId"):
        queue.standin["SqsManagedSseEnabled"] = "false"
        queue.standin.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    if given.get("SqsManagedSseEnabled") == "true" or given.get("KmsMasterKeyId") == "":
        queue.standin.pop("KmsMasterKeyId", None)
        queue.standin.pop("KmsDataKeyReusePeriodSeconds", None)
        queue.kms_master_key_id = None
    for name, value in given.items():
        if value == "":
            queue.standin.pop(name, None)
        else:
            queue.standin[name] = value
    queue.standin_allow = queue.standin.get("RedriveAllowPolicy")
    if given.get("RedrivePolicy") == "":
        queue.redrive_policy, queue.dead_letter_queue = {}, None
    if given.get("Policy") == "":
        queue.policy = ""
    told = {k: v for k, v in given.items() if k in TO_MOTO and v != ""}
    told.setdefault("MaximumMessageSize", queue.standin["MaximumMessageSize"])
    queue._set_attributes(told)
    queue.standin_modified = time.time()


@registry.instead("sqs", "SetQueueAttributes")
def set_queue_attributes(call):
    given = call.params["Attributes"]
    queue = call.queue
    attributes.check(given, queue.fifo_queue, False, queue.standin)
    check_documents(call, given, queue.fifo_queue, queue.queue_arn)
    apply(queue, given)
    return {}


@registry.instead("sqs", "GetQueueAttributes")
def get_queue_attributes(call):
    names = call.params.get("AttributeNames") or []
    for name in names:
        if name not in attributes.READABLE:
            raise unknown_read(name)
    every = attributes.shown(call.queue)
    found = every if "All" in names else {name: every[name] for name in names if name in every}
    return {"Attributes": found} if found else {}


def unknown_read(name):
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


@registry.instead("sqs", "GetQueueUrl")
def get_queue_url(call):
    account, name = queue_place(call)
    return {"QueueUrl": url_of(call, account, name)}


@registry.instead("sqs", "ListQueues")
def list_queues(call):
    prefix, most, token = (
        call.params.get("QueueNamePrefix") or "",
        call.params.get("MaxResults"),
        call.params.get("NextToken"),
    )
    names = sorted(
        n for n in sqs_backends[call.account][call.region].queues if n.startswith(prefix) and n > (token or "")
    )
    shown = names[: most or 1000]
    found = {"QueueUrls": [url_of(call, call.account, n) for n in shown]} if shown else {}
    if most and len(shown) < len(names):
        found["NextToken"] = shown[-1]
    return found


@registry.instead("sqs", "DeleteQueue")
def delete_queue(call):
    queue = call.queue
    del sqs_backends[call.moto_account][call.region].queues[queue.name]
    account = world.account(call.moto_account)
    account.deleted_queues[call.region, queue.name] = time.time()
    account.visibility.gone("queue", f"{call.region}/{queue.name}")
    return {}


def check_tags(tags):
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-limits.html: 50 tags, keys to 128, values to 256."""
    if len(tags) > 50:
        raise AwsError("InvalidParameterValue", "Too many tags added for queue. Maximum number of allowed tags is 50.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise AwsError("InvalidParameterValue", f"Tag key or value is not valid: {key}")


@registry.instead("sqs", "TagQueue")
def tag_queue(call):
    merged = {**(call.queue.tags or {}), **call.params["Tags"]}
    check_tags(merged)
    call.queue.tags = merged
    return {}


@registry.instead("sqs", "UntagQueue")
def untag_queue(call):
    call.queue.tags = {k: v for k, v in (call.queue.tags or {}).items() if k not in call.params["TagKeys"]}
    return {}


@registry.instead("sqs", "ListQueueTags")
def list_queue_tags(call):
    return {"Tags": dict(call.queue.tags)} if call.queue.tags else {}


@registry.instead("sqs", "ListDeadLetterSourceQueues")
def list_dead_letter_source_queues(call):
    backend = sqs_backends[call.moto_account][call.region]
    return {
        "queueUrls": [
            url_of(call, call.moto_account, q.name) for q in backend.list_dead_letter_source_queues(call.queue.name)
        ]
    }


@registry.before("sqs", "SendMessage", "SendMessageBatch", "ReceiveMessage")
def check_key(call):
    """The key of an encrypted queue must be there and enabled: .../SQSDeveloperGuide/sqs-troubleshooting.html"""
    name = call.queue.standin.get("KmsMasterKeyId")
    if name and name != "alias/aws/sqs":
        key = find_key(call.moto_account, call.region, name)
        if key is None:
            raise AwsError("KmsNotFound", f"Key '{name}' does not exist")
        if key.key_state != "Enabled":
            raise AwsError(
                "KmsDisabled" if key.key_state == "Disabled" else "KmsInvalidState", f"{key.arn} is {key.key_state}."
            )
