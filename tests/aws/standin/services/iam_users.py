"""IAM users, their boundaries and access keys.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html, .../API_DeleteUser.html (DeleteConflict),
.../API_PutUserPermissionsBoundary.html, .../API_CreateAccessKey.html, .../API_GetAccessKeyLastUsed.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (two keys a user, 50 tags; names are unique
without regard to case).
"""

import re

from moto.iam.models import iam_backends

from ..credentials import keys
from ..errors import AwsError, Gap
from ..tags import entity_tags
from ..world import world
from . import registry

KEYS_PER_USER = 2
TAG = re.compile(r"[\w\s.:/=+@-]*")


def backend(call):
    return iam_backends[call.account]["aws"]


def no_such(kind, name):
    return AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)


@registry.locator("iam")
def locate(call):
    """A user or role that is not visible yet is not there, except to who would make it again."""
    for kind, member in (("user", "UserName"), ("role", "RoleName")):
        name = call.params.get(member)
        if (
            name
            and call.operation != f"Create{kind.title()}"
            and world.account(call.account).visibility.hidden(kind, name)
        ):
            raise no_such(kind, name)


def user_of(call):
    """The user that the call names, or the caller's own."""
    name = call.params.get("UserName") or (call.identity.name if call.identity.kind == "user" else None)
    if name is None:
        raise Gap("iam", call.operation, "without UserName by somebody who is not a user")
    user = backend(call).users.get(name)
    if user is None:
        raise no_such("user", name)
    return user


def boundary_document(call, arn):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html: a boundary is a managed policy that exists."""
    if arn not in backend(call).managed_policies:
        raise AwsError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def check_tags(tags):
    seen = set()
    if len(tags) > 50:
        raise AwsError("LimitExceeded", "The number of tags has reached the maximum limit.", 409)
    for tag in tags:
        key, value = tag["Key"], tag.get("Value", "")
        if key.lower().startswith("aws:") or not TAG.fullmatch(key) or not TAG.fullmatch(value) or key.lower() in seen:
            raise AwsError(
                "InvalidInput",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                if key.lower() in seen
                else f"Tag key or value is not valid: {key}",
            )
        seen.add(key.lower())


def shown(user, with_tags=True):
    found = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
    }
    boundary = getattr(user, "permissions_boundary", None)
    if boundary:
        found["PermissionsBoundary"] = boundary
    tags = entity_tags(iam_backends[user.account_id]["aws"], user.arn)
    if with_tags and tags:
        found["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
    return found


@registry.instead("iam", "CreateUser")
def create_user(call):
    params, iam = call.params, backend(call)
    name = params["UserName"]
    if any(existing.lower() == name.lower() for existing in iam.users):
        raise AwsError("EntityAlreadyExists", f"User with name {name} already exists.", 409)
    check_tags(params.get("Tags") or [])
    boundary = boundary_document(call, params["PermissionsBoundary"]) if params.get("PermissionsBoundary") else None
    user = iam.create_user(call.region, name, params.get("Path") or "/", params.get("Tags") or [])
    user.permissions_boundary = boundary
    world.account(call.account).visibility.made("user", name)
    return {"User": shown(user)}


@registry.instead("iam", "GetUser")
def get_user(call):
    return {"User": shown(user_of(call))}


@registry.instead("iam", "ListUsers")
def list_users(call):
    prefix = call.params.get("PathPrefix") or "/"
    users = [u for _, u in sorted(backend(call).users.items()) if u.path.startswith(prefix)]
    return paged(call, "Users", users, lambda user: shown(user, with_tags=False))


def paged(call, member, items, show):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html: 100 a page unless MaxItems says so; Marker goes on."""
    start = int(call.params.get("Marker") or 0)
    end = start + (call.params.get("MaxItems") or 100)
    found = {member: [show(item) for item in items[start:end]], "IsTruncated": end < len(items)}
    if found["IsTruncated"]:
        found["Marker"] = str(end)
    return found


@registry.instead("iam", "DeleteUser")
def delete_user(call):
    user, iam = user_of(call), backend(call)
    for left, words in (
        (user.access_keys, "delete access keys"),
        (user.managed_policies, "detach all policies"),
        (user.policies, "delete policies"),
        (user.mfa_devices, "delete MFA devices"),
        (user.group_list, "remove users from group"),
        (user.password, "delete login profile"),
        (user.ssh_public_keys, "delete SSH public keys"),
    ):
        if left:
            raise AwsError("DeleteConflict", f"Cannot delete entity, must {words} first.", 409)
    iam.delete_user(user.name)
    world.account(call.account).visibility.gone("user", user.name)
    return {}


@registry.before("iam", "UpdateUser")
def update_user(call):
    raise Gap("iam", "UpdateUser", "renaming is not in this stand-in")


@registry.instead("iam", "PutUserPermissionsBoundary")
def put_boundary(call):
    user_of(call).permissions_boundary = boundary_document(call, call.params["PermissionsBoundary"])
    return {}


@registry.instead("iam", "DeleteUserPermissionsBoundary")
def delete_boundary(call):
    user = user_of(call)
    if not getattr(user, "permissions_boundary", None):
        raise AwsError("NoSuchEntity", f"The user with name {user.name} does not have a permissions boundary.", 404)
    user.permissions_boundary = None
    return {}


@registry.before("iam", "TagUser")
def tag_user(call):
    user = user_of(call)
    merged = {**entity_tags(backend(call), user.arn), **{t["Key"]: t.get("Value", "") for t in call.params["Tags"]}}
    check_tags(call.params["Tags"])
    if len(merged) > 50:
        raise AwsError("LimitExceeded", "The number of tags has reached the maximum limit.", 409)


@registry.instead("iam", "CreateAccessKey")
def create_access_key(call):
    user = user_of(call)
    if len(user.access_keys) >= KEYS_PER_USER:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}", 409)
    key = backend(call).create_access_key(user.name)
    keys.add_user_key(call.account, user, key)
    world.account(call.account).visibility.made("key", key.access_key_id)
    return {
        "AccessKey": {
            "UserName": user.name,
            "AccessKeyId": key.access_key_id,
            "Status": key.status,
            "SecretAccessKey": key.secret_access_key,
            "CreateDate": key.create_date,
        }
    }


def key_of(call):
    user = user_of(call)
    key = next((k for k in user.access_keys if k.access_key_id == call.params["AccessKeyId"]), None)
    if key is None:
        raise AwsError("NoSuchEntity", f"The Access Key with id {call.params['AccessKeyId']} cannot be found.", 404)
    return user, key


@registry.instead("iam", "DeleteAccessKey")
def delete_access_key(call):
    user, key = key_of(call)
    backend(call).delete_access_key(key.access_key_id, user.name)
    keys.remove(key.access_key_id)
    world.account(call.account).visibility.gone("key", key.access_key_id)
    return {}


@registry.instead("iam", "UpdateAccessKey")
def update_access_key(call):
    key_of(call)[1].status = call.params["Status"]
    return {}


@registry.instead("iam", "ListAccessKeys")
def list_access_keys(call):
    user = user_of(call)
    return paged(
        call,
        "AccessKeyMetadata",
        user.access_keys,
        lambda k: {
            "UserName": user.name,
            "AccessKeyId": k.access_key_id,
            "Status": k.status,
            "CreateDate": k.create_date,
        },
    )


@registry.instead("iam", "GetAccessKeyLastUsed")
def get_access_key_last_used(call):
    key = backend(call).access_keys.get(call.params["AccessKeyId"])
    if key is None or not key.user_name:
        raise AwsError(
            "AccessDenied",
            f"User: {call.identity.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: "
            f"access key {call.params['AccessKeyId']}",
            403,
        )
    used = {"Region": "N/A", "ServiceName": "N/A"}
    if key.last_used is not None:
        used = {
            "LastUsedDate": key.last_used.timestamp,
            "Region": key.last_used.region,
            "ServiceName": key.last_used.service,
        }
    return {"UserName": key.user_name, "AccessKeyLastUsed": used}
