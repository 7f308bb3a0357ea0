"""Messages. moto stores and hands them out; waiting for them must not hold up other calls.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html: a receive
with a wait answers as soon as there is a message. moto's own long polling blocks its thread, so it is always asked
without a wait here. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html (1
to 10 messages, 0 to 20 seconds)
"""

import asyncio
import json
import time
from urllib.parse import urlencode

from ..bridge import call_moto
from ..errors import AwsError
from ..http import parse_query
from . import registry

STEP = 0.05


@registry.instead("sqs", "ReceiveMessage")
async def receive_message(call):
    params = call.params
    for name, low, high in (
        ("MaxNumberOfMessages", 1, 10),
        ("WaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43200),
    ):
        value = params.get(name)
        if value is not None and not low <= value <= high:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {value} for parameter {name} is invalid. Reason: Must be >= {low} and <= {high}, if provided.",
            )
    wait = params.get("WaitTimeSeconds")
    if wait is None:
        wait = int(call.queue.standin.get("ReceiveMessageWaitTimeSeconds") or 0)
    end = time.monotonic() + wait
    body = without_wait(call)
    while True:
        response = call_moto(call, body=body)
        if response.status >= 400 or b"ReceiptHandle" in response.body or time.monotonic() >= end:
            return response
        await asyncio.sleep(STEP)


def without_wait(call):
    if call.protocol == "query":
        pairs = [(k, v) for k, v in parse_query(call.request.body.decode(), form=True) if k != "WaitTimeSeconds"]
        return urlencode(pairs + [("WaitTimeSeconds", "0")]).encode()
    return json.dumps({**json.loads(call.request.body), "WaitTimeSeconds": 0}).encode()


@registry.before("sqs", "SendMessage")
def check_message(call):
    """FIFO and size rules: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""
    params, queue = call.params, call.queue
    if len(params["MessageBody"].encode()) > int(queue.standin["MaximumMessageSize"]):
        raise AwsError(
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.standin['MaximumMessageSize']} bytes.",
        )
    if params["MessageBody"] == "":
        raise AwsError("MissingRequiredParameterException", "The request must contain the parameter MessageBody.")
    if queue.fifo_queue:
        if not params.get("MessageGroupId"):
            raise AwsError(
                "MissingRequiredParameterException", "The request must contain the parameter MessageGroupId."
            )
        if not params.get("MessageDeduplicationId") and queue.standin.get("ContentBasedDeduplication") != "true":
            raise AwsError(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            )
        if params.get("DelaySeconds"):
            raise AwsError(
                "InvalidParameterValue",
                f"Value {params['DelaySeconds']} for parameter DelaySeconds is invalid. Reason: The request include parameter "
                "that is not valid for this queue type.",
            )
    elif params.get("MessageDeduplicationId"):
        raise AwsError("InvalidParameterValue", "The request include parameter that is not valid for this queue type")


@registry.after("sqs", "SendMessage", "SendMessageBatch")
def seal(call, response):
    """Notes under which key a message was sent: it stays under that one."""
    queue = call.queue
    for message in queue._messages:
        if not hasattr(message, "standin_sealed"):
            message.standin_sealed = (queue.kms_master_key_id, queue.queue_arn)


@registry.before("sqs", "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
def check_batch(call):
    entries = call.params.get("Entries") or []
    if not entries:
        raise AwsError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > 10:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are 10. You have sent {len(entries)}.",
        )
    seen = [entry["Id"] for entry in entries]
    if len(set(seen)) != len(seen):
        raise AwsError("BatchEntryIdsNotDistinct", f"Id {next(i for i in seen if seen.count(i) > 1)} repeated.")
