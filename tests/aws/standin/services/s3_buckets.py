"""S3 buckets: names, owners, regions, and what a new bucket has.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html (codes, tags, us-east-1's 200 for one's own
bucket), https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-s3-c-encryption-setting-faq.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html (since 2023: SSE-S3, Block Public Access
on, ACLs off), https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
(x-amz-expected-bucket-owner: 403), https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html (versions
block it, incomplete uploads do not).
"""

import re

from moto.s3.models import get_canned_acl, s3_backends

from ..bridge import call_moto
from ..errors import AwsError, Gap
from ..http import Response
from ..model_facts import REGIONS
from ..s3_state import find_bucket
from ..world import world
from . import registry
from .s3_tags import put_tags

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
# What moto does of S3 as it stands; the rest is done by services/s3_*, or is a gap.
MOTO_DOES = {
    "GetObject",
    "HeadObject",
    "PutObject",
    "CopyObject",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "ListParts",
    "GetObjectTagging",
    "PutObjectTagging",
    "DeleteObjectTagging",
    "GetObjectAttributes",
    "GetObjectAcl",
    "PutObjectAcl",
    "GetBucketAcl",
    "RestoreObject",
}


def no_such_bucket(name):
    return AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)


@registry.locator("s3")
def locate(call):
    """The bucket exists (first of all), is the expected owner's, and moto looks in its owner's account."""
    if call.operation not in MOTO_DOES and registry.handlers(call).instead is None:
        raise Gap("s3", call.operation, "not in this stand-in")
    name = call.params.get("Bucket")
    if name is None or call.operation == "CreateBucket":
        return
    bucket = find_bucket(name)
    if bucket is None or world.account(bucket.account_id).visibility.hidden("bucket", name):
        raise no_such_bucket(name)
    expected = call.params.get("ExpectedBucketOwner")
    if expected is not None and expected != bucket.account_id:
        raise AwsError("AccessDenied", "Access Denied", 403)
    call.moto_account = bucket.account_id
    call.bucket = bucket


@registry.instead("s3", "CreateBucket")
def create_bucket(call):
    params = call.params
    name = params["Bucket"]
    config = params.get("CreateBucketConfiguration") or {}
    check_name(name)
    region = region_of(call, config.get("LocationConstraint"))
    existing = find_bucket(name)
    if existing is not None:
        if existing.account_id != call.account:
            raise AwsError(
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all "
                "users of the system. Please select a different name and try again.",
                409,
                BucketName=name,
            )
        if existing.region_name == region == "us-east-1":
            return {"Location": f"/{name}"}
        raise AwsError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            409,
            BucketName=name,
        )
    ownership = params.get("ObjectOwnership", "BucketOwnerEnforced")
    if params.get("ACL", "private") != "private" and ownership == "BucketOwnerEnforced":
        raise AwsError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    if params.get("ACL") in ("public-read", "public-read-write"):
        raise AwsError("AccessDenied", "Access Denied", 403)  # Block Public Access is on from the start
    bucket = s3_backends[call.account]["aws"].create_bucket(name, region)
    bucket.standin = {
        "encryption": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
        },
        "public_access": dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
        "ownership": {"Rules": [{"ObjectOwnership": ownership}]},
    }
    bucket.encryption = {"Rule": bucket.standin["encryption"]["Rules"][0]}
    bucket.acl = get_canned_acl(params.get("ACL", "private"))
    if params.get("ObjectLockEnabledForBucket"):
        bucket.object_lock_enabled = True
        bucket.versioning_status = "Enabled"
    put_tags(bucket, config.get("Tags") or [])
    world.account(call.account).visibility.made("bucket", name)
    return {"Location": f"/{name}" if region == "us-east-1" else f"http://{name}.s3.amazonaws.com/"}


def check_name(name):
    if (
        not NAME.fullmatch(name)
        or ".." in name
        or ADDRESS.fullmatch(name)
        or name.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
        or name.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"))
    ):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)


def region_of(call, constraint):
    if constraint == "EU":
        constraint = "eu-west-1"
    if call.region == "us-east-1":
        if constraint is None:
            return "us-east-1"
    elif constraint != call.region:
        shown = constraint or "unspecified"
        raise AwsError(
            "IllegalLocationConstraintException",
            f"The {shown} location constraint is incompatible for the region specific "
            "endpoint this request was sent to.",
        )
    if constraint not in REGIONS or constraint == "us-east-1":
        raise AwsError(
            "InvalidLocationConstraint", "The specified location-constraint is not valid", LocationConstraint=constraint
        )
    return constraint


@registry.instead("s3", "DeleteBucket")
def delete_bucket(call):
    bucket = call.bucket
    if any(bucket.keys.getlist(key) for key in bucket.keys):
        raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409, BucketName=bucket.name)
    backend = s3_backends[bucket.account_id]["aws"]
    backend.tagger.delete_all_tags_for_resource(bucket.arn)
    bucket.multiparts.clear()
    backend.delete_bucket(bucket.name)
    world.account(bucket.account_id).visibility.gone("bucket", bucket.name)
    return Response(204, {})


@registry.instead("s3", "HeadBucket")
def head_bucket(call):
    return Response(
        200,
        {
            "x-amz-bucket-region": call.bucket.region_name,
            "x-amz-access-point-alias": "false",
            "Content-Type": "application/xml",
        },
    )


@registry.instead("s3", "GetBucketLocation")
def get_bucket_location(call):
    region = call.bucket.region_name
    text = "" if region == "us-east-1" else region
    return Response(
        200,
        {"Content-Type": "application/xml"},
        '<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint '
        f'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{text}</LocationConstraint>',
    )


@registry.instead("s3", "ListBuckets")
def list_buckets(call):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html"""
    params = call.params
    after, prefix = params.get("ContinuationToken") or "", params.get("Prefix") or ""
    names = sorted(s3_backends[call.account]["aws"].buckets)
    names = [n for n in names if n > after and n.startswith(prefix)]
    region = params.get("BucketRegion")
    buckets = [find_bucket(n) for n in names]
    buckets = [b for b in buckets if region in (None, b.region_name)]
    shown = buckets[: params.get("MaxBuckets") or 10_000]
    result = {
        "Owner": {"ID": owner_id(call.account)},
        "Buckets": [
            {"Name": b.name, "CreationDate": b.creation_date.replace(tzinfo=None), "BucketRegion": b.region_name}
            for b in shown
        ],
    }
    if prefix:
        result["Prefix"] = prefix
    if len(shown) < len(buckets):
        result["ContinuationToken"] = shown[-1].name
    return result


def owner_id(account):
    """The canonical user id of an account."""
    return (account * 6)[:64]


@registry.instead("s3", "GetBucketAcl")
def get_bucket_acl(call):
    if owner_enforced(call.bucket):
        owner = {"ID": owner_id(call.bucket.account_id)}
        return {
            "Owner": owner,
            "Grants": [{"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"}],
        }
    return call_moto(call)


@registry.instead("s3", "PutBucketAcl")
def put_bucket_acl(call):
    if owner_enforced(call.bucket):
        raise acl_not_supported()
    return call_moto(call)


def owner_enforced(bucket):
    rules = (bucket.standin.get("ownership") or {}).get("Rules") or [{}]
    return rules[0].get("ObjectOwnership") == "BucketOwnerEnforced"


def acl_not_supported():
    return AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")
