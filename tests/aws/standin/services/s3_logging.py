"""Server access logging: kept; no log is written.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html: the target is in the same
account and region, and its policy lets logging.s3.amazonaws.com put objects. (The API accepts a target whose policy
is missing only where ACLs give the log-delivery group WRITE and READ_ACP; with ACLs off the policy is the one way.)
"""

import json

from ..conditions import as_list
from ..errors import AwsError
from ..http import Response
from ..policy import action_fits, resource_fits
from ..s3_state import find_bucket
from . import registry
from .s3_buckets import owner_enforced

SERVICE = "logging.s3.amazonaws.com"


@registry.instead("s3", "PutBucketLogging")
def put(call):
    wanted = call.params["BucketLoggingStatus"].get("LoggingEnabled")
    if not wanted:
        call.bucket.standin.pop("logging", None)
        return Response(200, {})
    if wanted.get("TargetPrefix") is None or not wanted.get("TargetBucket"):
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    target = find_bucket(wanted["TargetBucket"])
    if target is None:
        raise invalid("The target bucket for logging does not exist", wanted)
    if target.account_id != call.bucket.account_id:
        raise invalid("The owner for the bucket to be logged and the target bucket must be the same.", wanted)
    if target.region_name != call.bucket.region_name:
        raise AwsError(
            "CrossLocationLoggingProhibitted",
            "Cross S3 location logging not allowed.",
            403,
            SourceBucketLocation=call.bucket.region_name,
            TargetBucketLocation=target.region_name,
        )
    if wanted.get("TargetGrants") and owner_enforced(target):
        raise AwsError(
            "InvalidTargetBucketForLogging",
            "You can't use target grants with a bucket that has Object Ownership set to BucketOwnerEnforced",
        )
    if not may_log(target, wanted["TargetPrefix"]):
        raise invalid(
            "You must either provide the necessary permissions to the logging service using a bucket policy or give the "
            "log-delivery group WRITE and READ_ACP permissions to the target bucket",
            wanted,
        )
    call.bucket.standin["logging"] = {"LoggingEnabled": wanted}
    return Response(200, {})


def invalid(message, wanted):
    return AwsError("InvalidTargetBucketForLogging", message, TargetBucket=wanted["TargetBucket"])


def may_log(target, prefix):
    for statement in as_list(json.loads(target.policy or b'{"Statement": []}')["Statement"]):
        principal = statement.get("Principal")
        services = as_list(principal.get("Service", [])) if isinstance(principal, dict) else as_list(principal)
        if (
            statement["Effect"] == "Allow"
            and (SERVICE in services or "*" in services)
            and action_fits(statement, "s3:PutObject")
            and resource_fits(statement, f"{target.arn}/{prefix}x", {}, "2012-10-17")
        ):
            return True
    return False


@registry.instead("s3", "GetBucketLogging")
def get(call):
    return call.bucket.standin.get("logging") or {}
