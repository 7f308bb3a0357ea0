"""Policies of users and roles: sizes, attachments, what blocks deletion.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (2,048 characters of inline policies a
user, 10,240 a role, 5,120 a group, white space not counted; 6,144 a managed policy; 10 attached),
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html (not while attached, not with other
versions), .../API_PutUserPolicy.html (MalformedPolicyDocument; moto checks the grammar).
"""

import json
import re

from moto.iam.models import iam_backends

from ..errors import AwsError, Gap
from ..policy import statements
from ..world import world
from . import registry
from .iam_users import backend, no_such

LIMITS = {"User": 2048, "Role": 10240, "Group": 5120}
MANAGED = 6144
ATTACHED = 10


def size(text):
    return len(re.sub(r"\s", "", text))


def holder(call, kind):
    iam, name = backend(call), call.params[f"{kind}Name"]
    if kind == "Role":
        found = next((r for r in iam.roles.values() if r.name == name), None)
    else:
        found = (iam.users if kind == "User" else iam.groups).get(name)
    if found is None:
        raise no_such(kind.lower(), name)
    return found


def inline(kind):
    @registry.before("iam", f"Put{kind}Policy")
    def check(call):
        owner, name = holder(call, kind), call.params["PolicyName"]
        others = sum(size(text) for other, text in owner.policies.items() if other != name)
        if others + size(call.params["PolicyDocument"]) > LIMITS[kind]:
            raise AwsError(
                "LimitExceeded",
                f"Maximum policy size of {LIMITS[kind]} bytes exceeded for {kind.lower()} {call.params[kind + 'Name']}",
                409,
            )

    @registry.after("iam", f"Put{kind}Policy")
    def made(call, response):
        world.account(call.account).visibility.made(
            "policy", f"{kind.lower()}/{call.params[kind + 'Name']}/{call.params['PolicyName']}"
        )

    @registry.before("iam", f"Get{kind}Policy", f"Delete{kind}Policy")
    def exists(call):
        owner, name = holder(call, kind), call.params["PolicyName"]
        if name not in owner.policies:
            raise AwsError("NoSuchEntity", f"The {kind.lower()} policy with name {name} cannot be found.", 404)

    @registry.before("iam", f"Attach{kind}Policy")
    def attach(call):
        owner, arn = holder(call, kind), call.params["PolicyArn"]
        if arn.startswith("arn:aws:iam::aws:"):
            raise Gap("iam", call.operation, "policies that AWS manages are not in this stand-in; create your own")
        if arn not in backend(call).managed_policies:
            raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
        if arn not in owner.managed_policies and len(owner.managed_policies) >= ATTACHED:
            raise AwsError("LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind}: {ATTACHED}", 409)

    @registry.before("iam", f"Detach{kind}Policy")
    def detach(call):
        if call.params["PolicyArn"] not in holder(call, kind).managed_policies:
            raise AwsError("NoSuchEntity", f"Policy {call.params['PolicyArn']} was not found.", 404)


for _kind in LIMITS:
    inline(_kind)


@registry.before("iam", "CreatePolicy", "CreatePolicyVersion")
def check_size(call):
    if size(call.params["PolicyDocument"]) > MANAGED:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PolicySize: {MANAGED}", 409)


@registry.before("iam", "DeletePolicy")
def delete_policy(call):
    iam, arn = backend(call), call.params["PolicyArn"]
    policy = iam.managed_policies.get(arn)
    if policy is None:
        raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    if policy.attachment_count or boundary_uses(call.account, arn):
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if len(policy.versions) > 1:
        raise AwsError(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy.",
            409,
        )


def boundary_uses(account, arn):
    iam = iam_backends[account]["aws"]
    users = [
        u
        for u in iam.users.values()
        if (getattr(u, "permissions_boundary", None) or {}).get("PermissionsBoundaryArn") == arn
    ]
    return users + [r for r in iam.roles.values() if r.permissions_boundary_arn == arn]


@registry.before("iam", *(f"Put{kind}Policy" for kind in LIMITS), "CreatePolicy", "CreatePolicyVersion")
def no_principal(call):
    """An identity's policy names no principal; moto lets it. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
    try:
        document = json.loads(call.params["PolicyDocument"])
    except ValueError:
        return  # moto has the words for that
    for statement in statements(document if isinstance(document, dict) else {}):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise AwsError("MalformedPolicyDocument", "Policy document should not specify a principal.")
