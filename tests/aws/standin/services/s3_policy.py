"""Bucket policies: checked when put (MalformedPolicy), normalised as S3 gives them back, public ones refused.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html (BlockPublicPolicy; what
"public" means).
"""

import json

from ..conditions import as_list
from ..errors import AwsError
from ..grammar import Malformed, resource_policy
from ..http import Response
from . import registry

# Conditions on these keys with a fixed value make a statement not public.
NARROWING = (
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:principalorgid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:userid",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
)
LIMIT = 20 * 1024


@registry.instead("s3", "PutBucketPolicy")
def put(call):
    text = call.request.body.decode("utf-8", "replace")
    name = call.bucket.name
    if len(text) > LIMIT:
        raise AwsError("PolicyTooLarge", "The policy exceeds the maximum allowed size.")

    def mine(resource):
        parts = resource.split(":", 5)
        return (
            len(parts) == 6
            and parts[:3] == ["arn", "aws", "s3"]
            and (
                parts[5] == name
                or parts[5].startswith(name + "/")
                or parts[5] == "*"
                or ("*" in parts[5] and name.startswith(parts[5].split("*")[0]))
            )
        )

    try:
        document = resource_policy(text, "s3", mine)
    except Malformed as problem:
        raise AwsError("MalformedPolicy", str(problem)) from None
    check_levels(document)
    blocked = call.bucket.standin.get("public_access") or {}
    if blocked.get("BlockPublicPolicy") and is_public(document):
        raise AwsError(
            "AccessDenied",
            f"User: {call.identity.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"{call.bucket.arn}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.',
            403,
        )
    call.bucket.policy = json.dumps(normal(document), separators=(",", ":")).encode()
    return Response(204, {})


def check_levels(document):
    """An action that is only for objects needs an object's resource, and the other way round."""
    for statement in as_list(document["Statement"]):
        resources = as_list(statement.get("Resource", statement.get("NotResource")))
        objects = any("/" in r.split(":", 5)[5] or r.endswith("*") for r in resources)
        buckets = any(
            "/" not in r.split(":", 5)[5] or r.split(":", 5)[5].split("/")[0].endswith("*") for r in resources
        )
        for action in as_list(statement.get("Action", [])):
            verb = action.partition(":")[2]
            if "*" in verb or "?" in verb:
                continue
            for_objects = ("Object" in verb and "ObjectLockConfiguration" not in verb) or verb in (
                "AbortMultipartUpload",
                "ListMultipartUploadParts",
                "BypassGovernanceRetention",
            )
            if (for_objects and not objects) or (not for_objects and not buckets):
                raise AwsError("MalformedPolicy", "Action does not apply to any resource(s) in statement")


def normal(value, key=None):
    """S3 gives lists of one as the one, and an account as the ARN of its root."""
    if isinstance(value, dict):
        return {k: [normal(s) for s in as_list(v)] if k == "Statement" else normal(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return normal(value[0], key) if len(value) == 1 else [normal(v, key) for v in value]
    if key == "AWS" and isinstance(value, str) and value.isdigit():
        return f"arn:aws:iam::{value}:root"
    return value


def is_public(document):
    for statement in as_list(document["Statement"]):
        principal = statement.get("Principal")
        names = as_list(principal.get("AWS", [])) if isinstance(principal, dict) else as_list(principal)
        if statement["Effect"] == "Allow" and "*" in names:
            keys = {
                key.lower()
                for operator, block in statement.get("Condition", {}).items()
                if "not" not in operator.lower()
                for key in block
            }
            if not keys & set(NARROWING):
                return True
    return False


def no_policy(bucket):
    return AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404, BucketName=bucket.name)


@registry.instead("s3", "GetBucketPolicy")
def get(call):
    if not call.bucket.policy:
        raise no_policy(call.bucket)
    return Response(200, {"Content-Type": "application/json"}, call.bucket.policy)


@registry.instead("s3", "GetBucketPolicyStatus")
def status(call):
    if not call.bucket.policy:
        raise no_policy(call.bucket)
    return {"PolicyStatus": {"IsPublic": is_public(json.loads(call.bucket.policy))}}


@registry.instead("s3", "DeleteBucketPolicy")
def delete(call):
    call.bucket.policy = None
    return Response(204, {})
