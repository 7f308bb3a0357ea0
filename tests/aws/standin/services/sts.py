"""STS. moto lets anybody assume roles that do not exist; here a role exists, its trust policy is asked, and a session is
bound.

AssumeRole: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (a session is at most as long as
the role's MaxSessionDuration, one hour when the caller is a role itself; up to 10 session policies; AccessDenied for
a role that does not exist, so that nobody can probe for names). GetCallerIdentity needs no permission:
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

import datetime
import json
import secrets
import string
import time

from moto.iam.models import iam_backends

from ..credentials import Identity, keys
from ..errors import AwsError
from ..tags import from_list
from ..world import world
from . import registry

LETTERS = string.ascii_uppercase + "234567"


@registry.instead("sts", "GetCallerIdentity")
def get_caller_identity(call):
    who = call.identity
    return {"UserId": who.user_id, "Account": who.account, "Arn": who.arn}


@registry.instead("sts", "GetAccessKeyInfo")
def get_access_key_info(call):
    identity, account = keys.find(call.params["AccessKeyId"])
    if identity is None:
        raise AwsError("ValidationError", "The access key ID is not known")
    return {"Account": account}


@registry.instead("sts", "GetSessionToken")
def get_session_token(call):
    who = call.identity
    if who.kind == "role":
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    return {
        "Credentials": new_session(
            who.account,
            who.kind,
            who.arn,
            who.user_id,
            who.name,
            call.params.get("DurationSeconds") or 43200,
            moto_key=who.moto_key,
        )
    }


@registry.instead("sts", "AssumeRole")
def assume_role(call):
    params = call.params
    role = role_named(params["RoleArn"])
    if role is None:
        raise denied(call)
    duration = params.get("DurationSeconds") or 3600
    longest = 3600 if call.identity.kind == "role" else int(role.max_session_duration or 3600)
    if duration > longest:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            if call.identity.kind != "role"
            else "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )
    policies = session_policies(params, role.account_id)
    name = params["RoleSessionName"]
    arn = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{name}"
    user_id = f"{role.id}:{name}"
    credentials = new_session(
        role.account_id,
        "role",
        arn,
        user_id,
        role.name,
        duration,
        role_arn=role.arn,
        session_policies=policies,
        session_tags=from_list(params.get("Tags")),
    )
    return {
        "Credentials": credentials,
        "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn},
        "PackedPolicySize": 1,
    }


def role_named(arn):
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise AwsError("ValidationError", f"{arn} is invalid")
    if world.account(parts[4]).visibility.hidden("role", parts[5].rsplit("/", 1)[-1]):
        return None
    roles = iam_backends[parts[4]]["aws"].roles.values() if parts[4].isdigit() and len(parts[4]) == 12 else ()
    return next((role for role in roles if role.arn == arn), None)


def denied(call):
    return AwsError(
        "AccessDenied",
        f"User: {call.identity.arn} is not authorized to perform: sts:AssumeRole on resource: {call.params['RoleArn']}",
        403,
    )


def session_policies(params, account):
    found = []
    if params.get("Policy"):
        try:
            found.append(json.loads(params["Policy"]))
        except ValueError:
            raise AwsError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    for entry in params.get("PolicyArns") or ():
        policy = iam_backends[account]["aws"].managed_policies.get(entry.get("arn"))
        if policy is None:
            raise AwsError("ValidationError", f"Policy {entry.get('arn')} does not exist")
        found.append(json.loads(next(v.document for v in policy.versions if v.is_default)))
    return found


def new_session(account, kind, arn, user_id, name, duration, **more):
    key_id = "ASIA" + "".join(secrets.choice(LETTERS) for _ in range(16))
    secret, token = secrets.token_urlsafe(30), "standin-" + secrets.token_urlsafe(120)
    expires = time.time() + duration
    keys.add(key_id, Identity(kind, account, arn, user_id, name, secret, token=token, expires=expires, **more))
    return {
        "AccessKeyId": key_id,
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": datetime.datetime.fromtimestamp(int(expires), datetime.timezone.utc),
    }
