"""SQS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html

Batch operations need the action of their single form
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html). Tags
at creation need sqs:TagQueue. An encrypted queue needs its key, too: kms:GenerateDataKey and kms:Decrypt to send,
kms:Decrypt to receive (.../sqs-key-management.html). A message stays under the key, and with the encryption context (the
queue's ARN), that it was sent with, also in a dead-letter queue.
"""

from moto.sqs.models import sqs_backends

from .actions import Need
from .actions_kms import find_key, key_need
from .context import request_tags, resource_tags
from .principals import document

SINGLE = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
KEY_USES = {"SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"), "ReceiveMessage": ("kms:Decrypt",)}


def queue_place(call):
    """(account, name) of the queue that a call is about, or Nones."""
    url = call.params.get("QueueUrl")
    if url:
        parts = url.rstrip("/").split("/")
        if len(parts) >= 2 and parts[-2].isdigit():
            return parts[-2], parts[-1]
        return call.account, parts[-1]
    name = call.params.get("QueueName")
    return (call.params.get("QueueOwnerAWSAccountId") or call.account, name) if name else (None, None)


def find_queue(account, region, name):
    return sqs_backends[account][region].queues.get(name) if account and name else None


def moves(call):
    """A redrive reads the dead-letter queue and writes the destination, all in the caller's name."""
    source = call.params.get("SourceArn") or "*"
    actions = [call.operation] + (
        ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] if call.operation == "StartMessageMoveTask" else []
    )
    found = [Need(f"sqs:{action}", source) for action in actions]
    if call.operation == "StartMessageMoveTask" and call.params.get("DestinationArn"):
        found.append(Need("sqs:SendMessage", call.params["DestinationArn"]))
    return found


def needs(call):
    if call.operation in ("StartMessageMoveTask", "ListMessageMoveTasks"):
        return moves(call)
    operation = SINGLE.get(call.operation, call.operation)
    account, name = queue_place(call)
    if name is None:
        return [Need(f"sqs:{operation}", f"arn:aws:sqs:{call.region}:{call.account}:*")]
    arn = f"arn:aws:sqs:{call.region}:{account}:{name}"
    queue = find_queue(account, call.region, name)
    tags = call.params.get("tags") or call.params.get("Tags") or {}
    context = {**request_tags(tags), **resource_tags(queue.tags or {} if queue else {})}
    policy = document(queue.policy) if queue is not None and queue.policy else None
    found = [Need(f"sqs:{operation}", arn, context, policy, account)]
    if operation == "CreateQueue":
        found = [Need("sqs:CreateQueue", arn, context)] + ([Need("sqs:TagQueue", arn, context)] if tags else [])
    uses = {(getattr(queue, "kms_master_key_id", None), arn)} if operation in KEY_USES else set()
    if operation == "ReceiveMessage" and queue is not None:
        uses.update(message.standin_sealed for message in queue._messages if hasattr(message, "standin_sealed"))
    for key_name, sealed in sorted(uses, key=str):
        key = find_key(account, call.region, key_name) if key_name and key_name != "alias/aws/sqs" else None
        if key is not None:
            context = {
                "kms:viaservice": f"sqs.{call.region}.amazonaws.com",
                "kms:encryptioncontext:aws:sqs:arn": sealed,
            }
            found += [key_need(action, key, context) for action in KEY_USES[operation]]
    return found
