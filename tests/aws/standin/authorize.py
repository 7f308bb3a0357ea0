"""May this identity make this call? Refuses in the service's own code and AWS's own words.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html (the form of the messages)
"""

from .actions import needs_of
from .context import context_of
from .errors import AwsError
from .permissions import judge
from .principals import Policies, policies_of


class Authorizer:
    """Everything one request needs to be judged, worked out once."""

    def __init__(self, call):
        self.call = call
        self.policies = policies_of(call.identity) if call.identity.enforced and call.identity.account else Policies()
        self.context = context_of(call)

    def verdict(self, need):
        context = {**self.context, **need.context}
        context["aws:resourceaccount"] = need.owner or self.call.identity.account or ""
        return judge(
            self.call.identity,
            self.policies,
            need.action,
            need.resource,
            context,
            need.policy,
            need.owner,
            need.own_word,
        )


def authorize(call):
    needs = needs_of(call)
    if not needs:
        return
    authorizer = call.authorizer = Authorizer(call)
    for need in needs:
        verdict = authorizer.verdict(need)
        if not verdict:
            raise denied(call, need, verdict)


def allowed(call, need):
    """For services that ask in the middle of a call."""
    return Authorizer(call).verdict(need)


def denied(call, need, verdict):
    if call.service == "s3" and call.identity.kind == "anonymous":
        return AwsError("AccessDenied", "Access Denied", 403)
    action, resource = need.action, need.resource
    if call.service == "sqs" and action.startswith("sqs:"):
        action = action.lower()  # as SQS does
    quoted = f'"{resource}"' if call.service == "s3" else resource
    message = (
        f"User: {call.identity.arn} is not authorized to perform: {action} on resource: {quoted} {verdict.why}".strip()
    )
    if need.action.startswith("kms:") and call.service == "sqs":
        return AwsError("KmsAccessDenied", message, 400)
    if call.protocol in ("json", "rest-json") and call.service != "sqs":
        return AwsError("AccessDeniedException", message, 400 if call.protocol == "json" else 403)
    return AwsError("AccessDenied", message, 403)
