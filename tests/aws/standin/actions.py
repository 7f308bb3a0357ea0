"""What a call needs permission for: which IAM actions on which resources.

Mostly one action of the operation's own name; the exceptions per service are in actions_*.py, taken from
https://docs.aws.amazon.com/service-authorization/latest/reference/ (Actions, resources, and condition keys).
"""

from importlib import import_module

from .errors import Gap

SERVICES = ("s3", "iam", "sqs", "kms", "sts", "tagging")


class Need:
    """One action on one resource; `owner`, `policy` and `own_word` as `permissions.judge` wants them."""

    __slots__ = ("action", "resource", "context", "policy", "owner", "own_word")

    def __init__(self, action, resource, context=None, policy=None, owner=None, own_word=False):
        self.action = action
        self.resource = resource
        self.context = context or {}
        self.policy = policy
        self.owner = owner
        self.own_word = own_word


def needs_of(call):
    if call.service not in SERVICES:
        if call.identity.kind == "root":
            return []
        raise Gap(call.service, call.operation, "what permissions it needs is not written down yet (actions)")
    return import_module(f"standin.actions_{call.service}").needs(call)
