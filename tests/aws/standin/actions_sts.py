"""STS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html

GetCallerIdentity and GetSessionToken need no permission. A role must itself say who may assume it; it answers a role
that is not there, too, as a refusal.
"""

from .actions import Need
from .context import request_tags
from .principals import document
from .tags import from_list


def needs(call):
    if call.operation in ("GetCallerIdentity", "GetSessionToken", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"):
        return []
    if call.operation == "AssumeRole":
        from .services.sts import role_named

        params = call.params
        arn = params.get("RoleArn") or "*"
        role = role_named(arn) if params.get("RoleArn") else None
        tags = from_list(params.get("Tags"))
        context = {"sts:rolesessionname": params.get("RoleSessionName", ""), **request_tags(tags)}
        if params.get("ExternalId"):
            context["sts:externalid"] = params["ExternalId"]
        trust = document(role.assume_role_policy_document) if role else {"Statement": []}
        owner = arn.split(":")[4] if arn.count(":") >= 5 else call.account
        actions = ["sts:AssumeRole"] + (["sts:TagSession"] if tags else [])
        return [Need(action, arn, context, trust, owner, own_word=True) for action in actions]
    return [Need(f"sts:{call.operation}", "*")]
