"""IAM: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html

One action of the operation's name on the entity it is about. Tags given at creation need the entity's tagging action.
`iam:PermissionsBoundary` is the boundary asked for (create, put) or the one that the entity has (its other changes):
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
"""

from moto.iam.models import iam_backends

from .actions import Need
from .context import request_tags, resource_tags
from .principals import boundary_arn
from .tags import entity_tags, from_list, role_tags

TAGGING = {
    "CreateUser": "iam:TagUser",
    "CreateRole": "iam:TagRole",
    "CreatePolicy": "iam:TagPolicy",
    "CreateInstanceProfile": "iam:TagInstanceProfile",
    "CreateOpenIDConnectProvider": "iam:TagOpenIDConnectProvider",
}
# Asked of the group, although they name a user, too.
OF_GROUPS = ("AddUserToGroup", "RemoveUserFromGroup")
BOUNDARY_ASKED = ("CreateUser", "CreateRole", "PutUserPermissionsBoundary", "PutRolePermissionsBoundary")


def needs(call):
    iam = iam_backends[call.account]["aws"]
    params, operation = call.params, call.operation
    tags = from_list(params.get("Tags"))
    context = request_tags(tags)
    if params.get("TagKeys"):
        context["aws:tagkeys"] = list(params["TagKeys"])
    if params.get("PolicyArn"):
        context["iam:policyarn"] = params["PolicyArn"]
    resource, entity = subject(call, iam)
    if entity is not None:
        own = role_tags(entity) if ":role/" in resource else entity_tags(iam, entity.arn)
        context.update(resource_tags(own, "iam"))
    if operation in BOUNDARY_ASKED:
        if params.get("PermissionsBoundary"):
            context["iam:permissionsboundary"] = params["PermissionsBoundary"]
    elif entity is not None and boundary_arn(entity):
        context["iam:permissionsboundary"] = boundary_arn(entity)
    found = [Need(f"iam:{operation}", resource, context)]
    if tags and operation in TAGGING:
        found.append(Need(TAGGING[operation], resource, context))
    return found


def subject(call, iam):
    """(ARN, moto's user or role) that the call is about."""
    params, operation, account = call.params, call.operation, call.account
    base = f"arn:aws:iam::{account}:"
    path = params.get("Path") or "/"
    if params.get("UserName") and operation not in OF_GROUPS:
        user = iam.users.get(params["UserName"])
        return (user.arn if user else f"{base}user{path}{params['UserName']}"), user
    if params.get("RoleName"):
        role = next((r for r in iam.roles.values() if r.name == params["RoleName"]), None)
        return (role.arn if role else f"{base}role{path}{params['RoleName']}"), role
    if params.get("GroupName"):
        group = iam.groups.get(params["GroupName"])
        return (group.arn if group else f"{base}group{path}{params['GroupName']}"), None
    if params.get("PolicyArn"):
        return params["PolicyArn"], None
    if operation == "CreatePolicy":
        return f"{base}policy{path}{params.get('PolicyName')}", None
    if params.get("InstanceProfileName"):
        return f"{base}instance-profile{path}{params['InstanceProfileName']}", None
    if params.get("OpenIDConnectProviderArn"):
        return params["OpenIDConnectProviderArn"], None
    if operation == "GetAccessKeyLastUsed":
        key = iam.access_keys.get(params.get("AccessKeyId"))
        user = iam.users.get(key.user_name) if key and key.user_name else None
        return (user.arn if user else f"{base}user/"), user
    for kind, listing in (
        ("user", "ListUsers"),
        ("role", "ListRoles"),
        ("group", "ListGroups"),
        ("policy", "ListPolicies"),
    ):
        if operation == listing:
            return f"{base}{kind}{params.get('PathPrefix') or '/'}", None
    if call.identity.kind == "user" and operation in (
        "GetUser",
        "ListAccessKeys",
        "CreateAccessKey",
        "DeleteAccessKey",
        "UpdateAccessKey",
        "ChangePassword",
    ):
        return call.identity.arn, iam.users.get(call.identity.name)
    return "*", None
