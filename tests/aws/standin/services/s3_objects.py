"""Objects: what moto's handling of them needs from us.

- https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: an object that is not there is a 404 only for
  who may list the bucket, else a 403.
- https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html: in a suspended
  bucket a new object replaces the null version and keeps all others (moto drops them).
- https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html: with ACLs off only
  bucket-owner-full-control is accepted.
- https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html: lock headers need a bucket with Object Lock.
- a KMS key that is not there or disabled: KMS.NotFoundException, KMS.DisabledException.
"""

import datetime
import json

from moto.s3.models import s3_backends

from ..actions import Need
from ..actions_kms import find_key
from ..actions_s3 import encryption_key
from ..authorize import Authorizer
from ..bridge import call_moto
from ..errors import AwsError
from ..s3_state import find_version
from . import registry
from .s3_buckets import acl_not_supported, owner_enforced
from .s3_deletion import remove

MAKE = ("PutObject", "CopyObject", "CompleteMultipartUpload")
START = ("PutObject", "CopyObject", "CreateMultipartUpload")


@registry.before("s3", *START, "PutObjectAcl")
def check_acl(call):
    if owner_enforced(call.bucket):
        given = call.params.get("ACL")
        grants = any(
            call.params.get(name) for name in ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
        )
        if call.operation == "PutObjectAcl" or grants or given not in (None, "bucket-owner-full-control"):
            raise acl_not_supported()


@registry.before("s3", *START)
def check_lock_and_key(call):
    params = call.params
    if any(params.get(name) for name in ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")):
        if not call.bucket.object_lock_enabled:
            raise AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration")
        if bool(params.get("ObjectLockMode")) != bool(params.get("ObjectLockRetainUntilDate")):
            raise AwsError(
                "InvalidArgument",
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            )
    name = encryption_key(params, call.bucket)
    if name and "alias/aws/s3" not in name:
        key = find_key(call.bucket.account_id, call.bucket.region_name, name)
        if key is None:
            raise AwsError("KMS.NotFoundException", f"Key '{name}' does not exist")
        if key.key_state != "Enabled":
            code = "KMS.DisabledException" if key.key_state == "Disabled" else "KMS.KMSInvalidStateException"
            raise AwsError(code, f"{key.arn} is {'disabled.' if key.key_state == 'Disabled' else 'pending deletion.'}")
    if call.bucket.object_lock_enabled and call.operation == "PutObject":
        if not any(h == "content-md5" or h.startswith("x-amz-checksum-") for h in call.request.headers) and (
            params.get("ObjectLockMode") or call.bucket.default_lock_mode
        ):
            raise AwsError(
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
            )


@registry.instead("s3", *MAKE)
def make_object(call):
    """moto stores the object. In a suspended bucket it does so as one more version, which then becomes the null version."""
    bucket, key = call.bucket, call.params["Key"]
    if bucket.versioning_status != "Suspended":
        return call_moto(call)
    bucket.versioning_status = "Enabled"
    try:
        response = call_moto(call)
    finally:
        bucket.versioning_status = "Suspended"
    if response.status < 400:
        tagger = s3_backends[bucket.account_id]["aws"].tagger
        new = bucket.keys.getlist(key)[-1]
        tags = tagger.get_tag_dict_for_resource(new.arn)
        tagger.delete_all_tags_for_resource(new.arn)
        former = find_version(bucket, key, "null")
        if former is not None:
            remove(bucket, key, former)
        new._version_id, new._is_versioned = "null", False
        tagger.tag_resource(new.arn, tagger.convert_dict_to_tags_input(tags))
        response.headers = {k: v for k, v in response.headers.items() if k.lower() != "x-amz-version-id"}
        response.headers["x-amz-version-id"] = "null"
    return response


@registry.instead("s3", "GetObject", "HeadObject", "GetObjectTagging", "GetObjectAttributes")
def read_object(call):
    """A 404 is shown only to who may list."""
    found = find_version(call.bucket, call.params["Key"], call.params.get("VersionId"))
    if found is None:
        policy = json.loads(call.bucket.policy) if call.bucket.policy else None
        if not Authorizer(call).verdict(Need("s3:ListBucket", call.bucket.arn, {}, policy, call.bucket.account_id)):
            raise AwsError(
                "AccessDenied",
                f"User: {call.identity.arn} is not authorized to perform: s3:ListBucket on resource: "
                f'"{call.bucket.arn}" because no identity-based policy allows the s3:ListBucket action',
                403,
            )
        if call.params.get("VersionId"):
            raise AwsError(
                "NoSuchVersion",
                "The specified version does not exist.",
                404,
                Key=call.params["Key"],
                VersionId=call.params["VersionId"],
            )
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=call.params["Key"])
    return call_moto(call)


@registry.after("s3", "CreateMultipartUpload")
def date_upload(call, response):
    for upload in call.bucket.multiparts.values():
        if not hasattr(upload, "standin_initiated"):
            upload.standin_initiated = datetime.datetime.utcnow()


@registry.after("s3", "PutObject", "CopyObject", "CompleteMultipartUpload", "GetObject", "HeadObject")
def name_the_key(call, response):
    """S3 says how an object is encrypted, with the key's ARN."""
    found = find_version(
        call.bucket,
        call.params["Key"],
        call.params.get("VersionId") if call.operation in ("GetObject", "HeadObject") else None,
    )
    kms = getattr(found, "kms_key_id", None)
    if kms and not kms.startswith("arn:"):
        key = find_key(call.bucket.account_id, call.bucket.region_name, kms)
        if key is not None:
            response.headers["x-amz-server-side-encryption-aws-kms-key-id"] = key.arn
