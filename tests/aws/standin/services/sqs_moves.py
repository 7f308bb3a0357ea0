"""Redrive of a dead-letter queue. Here a task moves everything at once and is completed when it is started.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html (the source must
be the dead-letter queue of another; without a destination the messages go to their sources, of which this stand-in
takes one alone), .../API_ListMessageMoveTasks.html.
"""

import time

from moto.sqs.models import sqs_backends

from ..actions_sqs import find_queue
from ..errors import AwsError, Gap
from . import registry


def queue_by_arn(call, arn):
    parts = str(arn).split(":")
    queue = (
        find_queue(call.account, call.region, parts[5])
        if len(parts) == 6 and parts[3:5] == [call.region, call.account]
        else None
    )
    if queue is None:
        raise AwsError(
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
            404,
        )
    return queue


@registry.instead("sqs", "StartMessageMoveTask")
def start(call):
    source = queue_by_arn(call, call.params["SourceArn"])
    users = sqs_backends[call.account][call.region].list_dead_letter_source_queues(source.name)
    if not users:
        raise AwsError("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if call.params.get("DestinationArn"):
        target = queue_by_arn(call, call.params["DestinationArn"])
    elif len(users) == 1:
        target = users[0]
    else:
        raise Gap(
            "sqs", "StartMessageMoveTask", "without DestinationArn where several queues share the dead-letter queue"
        )
    moved = list(source.messages)
    source._messages = [m for m in source._messages if m not in moved]
    for message in moved:
        message.approximate_receive_count = 0
        target._messages.append(message)
    task = {
        "TaskHandle": f"standin-{time.time_ns()}",
        "Status": "COMPLETED",
        "SourceArn": source.queue_arn,
        "ApproximateNumberOfMessagesMoved": len(moved),
        "ApproximateNumberOfMessagesToMove": len(moved),
        "StartedTimestamp": int(time.time() * 1000),
    }
    if call.params.get("DestinationArn"):
        task["DestinationArn"] = target.queue_arn
    source.standin_moves = [task] + getattr(source, "standin_moves", [])
    return {"TaskHandle": task["TaskHandle"]}


@registry.instead("sqs", "ListMessageMoveTasks")
def list_tasks(call):
    tasks = getattr(queue_by_arn(call, call.params["SourceArn"]), "standin_moves", [])[
        : call.params.get("MaxResults") or 1
    ]
    return {"Results": [{k: v for k, v in task.items() if k != "TaskHandle"} for task in tasks]}


@registry.instead("sqs", "CancelMessageMoveTask")
def cancel(call):
    raise AwsError("ResourceNotFoundException", "Task does not exist or is not active.", 404)
