"""The settings of a bucket: what is put is kept as it was read and given back as AWS gives it back.

moto keeps some of them in forms that lose parts; here each is the parsed document of the API model. moto's own fields
follow where moto reads them (encryption and versioning, when it stores objects). One page per operation in
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html; the "not found"
codes are from https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

from ..errors import AwsError, Gap
from ..http import Response
from . import registry
from .s3_tags import put_tags, tag_set


def setting(name, operation, member, missing=None, deletable=True, delete_operation=None, put_status=200):
    """Wires Get, Put and Delete of one setting; `check(bucket, value)` may refuse or complete what is put."""

    def wire(check):
        def put(call):
            value = call.params.get(member)
            if value is None:
                raise AwsError("MissingRequestBodyError", "Request Body is empty")
            call.bucket.standin[name] = check(call.bucket, value) or value
            return Response(put_status, {})

        def get(call):
            value = call.bucket.standin.get(name)
            if value is None:
                if missing is None:
                    return {}
                raise AwsError(missing[0], missing[1], 404, BucketName=call.bucket.name)
            return value if call.model.output_shape.members.get(member) is None else {member: value}

        def delete(call):
            call.bucket.standin.pop(name, None)
            return Response(204, {})

        registry.instead("s3", f"Put{operation}")(put)
        registry.instead("s3", f"Get{operation}")(get)
        if deletable:
            registry.instead("s3", delete_operation or f"Delete{operation}")(delete)
        return check

    return wire


@setting("encryption", "BucketEncryption", "ServerSideEncryptionConfiguration", deletable=False)
def encryption(bucket, value):
    rules = value.get("Rules") or []
    if len(rules) != 1:
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    if default.get("KMSMasterKeyID") and not default.get("SSEAlgorithm", "").startswith("aws:kms"):
        raise AwsError(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )
    rules[0].setdefault("BucketKeyEnabled", False)
    bucket.encryption = {"Rule": rules[0]} if default else None


@registry.instead("s3", "DeleteBucketEncryption")
def delete_encryption(call):
    """Back to SSE-S3: a bucket always has a default."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    call.bucket.standin["encryption"] = {"Rules": [rule]}
    call.bucket.encryption = {"Rule": rule}
    return Response(204, {})


@setting(
    "public_access",
    "PublicAccessBlock",
    "PublicAccessBlockConfiguration",
    ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
)
def public_access(bucket, value):
    return {
        name: bool(value.get(name))
        for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    }


@setting(
    "ownership",
    "BucketOwnershipControls",
    "OwnershipControls",
    ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
)
def ownership(bucket, value):
    if len(value.get("Rules") or []) != 1:
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )


@setting(
    "cors", "BucketCors", "CORSConfiguration", ("NoSuchCORSConfiguration", "The CORS configuration does not exist")
)
def cors(bucket, value):
    rules = value.get("CORSRules") or []
    if not 1 <= len(rules) <= 100:
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    for rule in rules:
        for method in rule["AllowedMethods"]:
            if method not in ("GET", "PUT", "POST", "DELETE", "HEAD"):
                raise AwsError(
                    "InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is " + method
                )
        for kind, texts in (
            ("AllowedOrigin", rule["AllowedOrigins"]),
            ("AllowedHeader", rule.get("AllowedHeaders") or ()),
        ):
            for text in texts:
                if text.count("*") > 1:
                    raise AwsError("InvalidRequest", f'{kind} "{text}" can not have more than one wildcard.')
        for text in rule.get("ExposeHeaders") or ():
            if "*" in text:
                raise AwsError(
                    "InvalidRequest",
                    f'ExposeHeader "{text}" contains wildcard. We currently do not support wildcard for ExposeHeader.',
                )


@setting("versioning", "BucketVersioning", "VersioningConfiguration", deletable=False)
def versioning(bucket, value):
    if value.get("MFADelete") == "Enabled":
        raise Gap("s3", "PutBucketVersioning", "MFA delete is not in this stand-in")
    status = value.get("Status")
    if status is None:
        raise AwsError("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    if bucket.object_lock_enabled and status != "Enabled":
        raise AwsError(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            409,
        )
    bucket.versioning_status = status


@registry.instead("s3", "GetBucketVersioning")
def get_versioning(call):
    return {"Status": call.bucket.versioning_status} if call.bucket.versioning_status else {}


@setting("notification", "BucketNotificationConfiguration", "NotificationConfiguration", deletable=False)
def notification(bucket, value):
    """EventBridge only: kept and given back; no event is delivered. Other destinations are a gap, loudly."""
    if set(value) - {"EventBridgeConfiguration"}:
        raise Gap(
            "s3", "PutBucketNotificationConfiguration", "destinations other than EventBridge are not in this stand-in"
        )


@setting("accelerate", "BucketAccelerateConfiguration", "AccelerateConfiguration", deletable=False)
def accelerate(bucket, value):
    if "." in bucket.name:
        raise AwsError(
            "InvalidRequest", "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        )


@setting("payment", "BucketRequestPayment", "RequestPaymentConfiguration", deletable=False)
def payment(bucket, value):
    pass


@registry.instead("s3", "GetBucketRequestPayment")
def get_payment(call):
    return call.bucket.standin.get("payment") or {"Payer": "BucketOwner"}


@setting(
    "website",
    "BucketWebsite",
    "WebsiteConfiguration",
    ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
)
def website(bucket, value):
    pass


@registry.instead("s3", "PutBucketTagging")
def put_bucket_tagging(call):
    put_tags(call.bucket, call.params["Tagging"].get("TagSet") or [])
    return Response(204, {})


@registry.instead("s3", "GetBucketTagging")
def get_bucket_tagging(call):
    tags = tag_set(call.bucket)
    if not tags:
        raise AwsError("NoSuchTagSet", "The TagSet does not exist", 404, BucketName=call.bucket.name)
    return {"TagSet": tags}


@registry.instead("s3", "DeleteBucketTagging")
def delete_bucket_tagging(call):
    put_tags(call.bucket, [])
    return Response(204, {})
