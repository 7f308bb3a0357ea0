"""S3: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html (operation -> actions).

Bucket actions are asked of arn:aws:s3:::BUCKET, object actions of arn:aws:s3:::BUCKET/KEY. DeleteObjects asks per
key, inside the call (services/s3_objects). The account's root may always read and mend a bucket's policy, whatever
that says (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html). An object under a KMS key
needs the key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html (kms:GenerateDataKey to
write, kms:Decrypt to read; both for the parts of an upload). The encryption context is the bucket's ARN where a Bucket Key
is used, else the object's (.../UsingKMSEncryption.html#encryption-context, .../bucket-key.html).
"""

from urllib.parse import parse_qs, unquote

from .actions import Need
from .actions_kms import find_key, key_need
from .context import request_tags, resource_tags
from .principals import document
from .s3_state import find_bucket, find_object
from .tags import bucket_tags, from_list, object_tags

BUCKET = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
}
# (without a version, with one)
OBJECT = {
    "GetObject": ("GetObject", "GetObjectVersion"),
    "HeadObject": ("GetObject", "GetObjectVersion"),
    "DeleteObject": ("DeleteObject", "DeleteObjectVersion"),
    "GetObjectTagging": ("GetObjectTagging", "GetObjectVersionTagging"),
    "PutObjectTagging": ("PutObjectTagging", "PutObjectVersionTagging"),
    "DeleteObjectTagging": ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetObjectAcl": ("GetObjectAcl", "GetObjectVersionAcl"),
    "PutObjectAcl": ("PutObjectAcl", "PutObjectVersionAcl"),
    "ListParts": ("ListMultipartUploadParts",) * 2,
    "SelectObjectContent": ("GetObject",) * 2,
    **{
        name: ("PutObject",) * 2
        for name in (
            "PutObject",
            "CopyObject",
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "CompleteMultipartUpload",
        )
    },
}
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload")
ROOT_ALWAYS = ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy")


def needs(call):
    params, operation = call.params, call.operation
    name = params.get("Bucket")
    if name is None:
        return [Need("s3:ListAllMyBuckets", "*", keys_of(call))]
    bucket = find_bucket(name)
    policy = document(bucket.policy) if bucket is not None and bucket.policy else None
    owner = bucket.account_id if bucket is not None else None
    if operation in ROOT_ALWAYS and call.identity.kind == "root" and call.identity.account == owner:
        return []
    arn = f"arn:aws:s3:::{name}"
    context = keys_of(call)
    if operation == "CreateBucket":
        return creation(call, arn, context)
    if operation == "DeleteObjects":
        return []
    if params.get("Key") is None:
        if bucket is not None:
            context.update(resource_tags(bucket_tags(bucket)) if abac(bucket) else {})
        return [Need(f"s3:{BUCKET.get(operation, operation)}", arn, context, policy, owner)]
    return objects(call, f"{arn}/{params['Key']}", context, bucket, policy, owner)


def abac(bucket):
    """Tag conditions on buckets hold only where ABAC is switched on (CreateBucketConfiguration.Tags in the API reference)."""
    return bool(getattr(bucket, "standin_abac", False))


def creation(call, arn, context):
    params = call.params
    found = ["s3:CreateBucket"]
    if params.get("ACL", "private") != "private":
        found.append("s3:PutBucketAcl")
    if params.get("ObjectLockEnabledForBucket"):
        found += ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]
    if params.get("ObjectOwnership"):
        found.append("s3:PutBucketOwnershipControls")
    tags = from_list((params.get("CreateBucketConfiguration") or {}).get("Tags"))
    if tags:
        found.append("s3:TagResource")
        context.update(request_tags(tags))
    return [Need(action, arn, context) for action in found]


def objects(call, arn, context, bucket, policy, owner):
    params, operation = call.params, call.operation
    version = params.get("VersionId")
    name = OBJECT.get(operation, (operation, operation))[1 if version else 0]
    target = find_object(bucket, params["Key"], version)
    if target is not None:
        context.update({f"s3:existingobjecttag/{k}".lower(): v for k, v in object_tags(target).items()})
    names = [name]
    if operation in WRITES and params.get("Tagging"):
        names.append("PutObjectTagging")
        context.update(
            {
                f"s3:requestobjecttag/{k}".lower(): v[0]
                for k, v in parse_qs(params["Tagging"], keep_blank_values=True).items()
            }
        )
    if operation in WRITES and params.get("ACL", "private") not in ("private", "bucket-owner-full-control"):
        names.append("PutObjectAcl")
    if operation in WRITES and params.get("ObjectLockMode"):
        names.append("PutObjectRetention")
    if operation in WRITES and params.get("ObjectLockLegalHoldStatus"):
        names.append("PutObjectLegalHold")
    if params.get("BypassGovernanceRetention"):
        names.append("BypassGovernanceRetention")
    found = [Need(f"s3:{n}", arn, context, policy, owner) for n in names]
    if operation in ("CopyObject", "UploadPartCopy"):
        found += source(call)
    return found + keys(call, bucket, target)


def source(call):
    path, _, query = call.params["CopySource"].lstrip("/").partition("?")
    name, _, key = unquote(path).partition("/")
    version = parse_qs(query).get("versionId", [None])[0]
    bucket = find_bucket(name)
    policy = document(bucket.policy) if bucket is not None and bucket.policy else None
    owner = bucket.account_id if bucket is not None else None
    arn = f"arn:aws:s3:::{name}/{key}"
    found = [Need("s3:GetObjectVersion" if version else "s3:GetObject", arn, {}, policy, owner)]
    original = find_object(bucket, key, version)
    if original is not None and object_tags(original) and call.params.get("TaggingDirective", "COPY") == "COPY":
        found.append(Need("s3:GetObjectTagging", arn, {}, policy, owner))
    return found + key_needs(bucket, getattr(original, "kms_key_id", None), ("kms:Decrypt",), sealed_as(bucket, original))


def keys(call, bucket, target):
    if bucket is None:
        return []
    if call.operation in WRITES:
        return key_needs(
            bucket,
            encryption_key(call.params, bucket),
            ("kms:GenerateDataKey",)
            if call.operation in ("PutObject", "CopyObject")
            else ("kms:GenerateDataKey", "kms:Decrypt"),
            sealing_as(call.params, bucket),
        )
    if call.operation in ("GetObject", "HeadObject") and target is not None:
        return key_needs(bucket, getattr(target, "kms_key_id", None), ("kms:Decrypt",), sealed_as(bucket, target))
    return []


def encryption_key(params, bucket):
    """The KMS key that a new object gets: the request's, else the bucket's default. None: not a key of the customer's."""
    if params.get("ServerSideEncryption"):
        return params.get("SSEKMSKeyId") if params["ServerSideEncryption"].startswith("aws:kms") else None
    rules = (getattr(bucket, "standin", {}).get("encryption") or {}).get("Rules") or [{}]
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    return default.get("KMSMasterKeyID") if default.get("SSEAlgorithm", "").startswith("aws:kms") else None


def sealing_as(params, bucket):
    """The encryption context of a new object."""
    asked = params.get("BucketKeyEnabled")
    if asked is None:
        rules = (getattr(bucket, "standin", {}).get("encryption") or {}).get("Rules") or [{}]
        asked = rules[0].get("BucketKeyEnabled")
    return bucket.arn if asked else f"{bucket.arn}/{params['Key']}"


def sealed_as(bucket, key):
    """The encryption context of an object that is there (moto forgets whether an upload in parts had a Bucket Key)."""
    asked = getattr(key, "bucket_key_enabled", None)
    if asked is None:
        return sealing_as({"Key": getattr(key, "name", "")}, bucket)
    return bucket.arn if str(asked).lower() == "true" else f"{bucket.arn}/{key.name}"


def key_needs(bucket, key_name, actions, sealed):
    if bucket is None or not key_name or key_name.endswith("alias/aws/s3"):
        return []
    key = find_key(bucket.account_id, bucket.region_name, key_name)
    via = {"kms:viaservice": f"s3.{bucket.region_name}.amazonaws.com", "kms:encryptioncontext:aws:s3:arn": sealed}
    return [key_need(action, key, via) for action in actions] if key is not None else []


def keys_of(call):
    """S3's own condition keys: https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html"""
    params, request = call.params, call.request
    found = {
        "s3:authtype": "REST-QUERY-STRING" if request.first("X-Amz-Signature") else "REST-HEADER",
        "s3:signatureversion": "AWS4-HMAC-SHA256",
        "s3:x-amz-content-sha256": request.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    }
    if request.secure:
        found["s3:tlsversion"] = "1.3"
    for key, member in (
        ("s3:prefix", "Prefix"),
        ("s3:delimiter", "Delimiter"),
        ("s3:max-keys", "MaxKeys"),
        ("s3:versionid", "VersionId"),
        ("s3:x-amz-acl", "ACL"),
        ("s3:x-amz-storage-class", "StorageClass"),
        ("s3:x-amz-server-side-encryption", "ServerSideEncryption"),
        ("s3:x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"),
        ("s3:x-amz-copy-source", "CopySource"),
        ("s3:x-amz-metadata-directive", "MetadataDirective"),
        ("s3:object-lock-mode", "ObjectLockMode"),
        ("s3:object-lock-legal-hold", "ObjectLockLegalHoldStatus"),
        ("s3:x-amz-object-ownership", "ObjectOwnership"),
    ):
        if params.get(member) is not None:
            found[key] = str(params[member])
    location = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if location:
        found["s3:locationconstraint"] = location
    return found
