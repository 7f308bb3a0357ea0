"""Object Lock: default retention, retention, legal hold, and what they forbid.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html and .../object-lock-managing.html: a locked
version cannot be deleted; in governance mode a caller with s3:BypassGovernanceRetention may, who says so in the
header; compliance cannot be shortened by anybody.
"""

import datetime

from ..errors import AwsError
from ..http import Response
from ..s3_state import find_version
from . import registry

NONE = AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration")
LOCKED = "Access Denied because object protected by object lock."


@registry.instead("s3", "PutObjectLockConfiguration")
def put_configuration(call):
    bucket = call.bucket
    value = call.params.get("ObjectLockConfiguration") or {}
    if bucket.versioning_status != "Enabled":
        raise AwsError(
            "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration", 409
        )
    if value.get("ObjectLockEnabled") != "Enabled":
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    default = (value.get("Rule") or {}).get("DefaultRetention") or {}
    if value.get("Rule") is not None:
        if default.get("Mode") not in ("GOVERNANCE", "COMPLIANCE") or ("Days" in default) == ("Years" in default):
            raise AwsError(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema",
            )
        for name, most in (("Days", 36500), ("Years", 100)):
            if name in default and not 1 <= default[name] <= most:
                raise AwsError(
                    "InvalidArgument",
                    "Default retention period must be a positive integer value"
                    if default[name] < 1
                    else "Default retention period too large",
                )
    bucket.object_lock_enabled = True
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = (
        default.get("Mode", ""),
        default.get("Days", 0),
        default.get("Years", 0),
    )
    bucket.standin["lock_rule"] = value.get("Rule")
    return Response(200, {})


@registry.instead("s3", "GetObjectLockConfiguration")
def get_configuration(call):
    if not call.bucket.object_lock_enabled:
        raise AwsError(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
            404,
            BucketName=call.bucket.name,
        )
    found = {"ObjectLockEnabled": "Enabled"}
    if call.bucket.standin.get("lock_rule"):
        found["Rule"] = call.bucket.standin["lock_rule"]
    return {"ObjectLockConfiguration": found}


def moment(text):
    if isinstance(text, datetime.datetime):
        value = text
    else:
        value = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def locked(version, bypass):
    """Whether the version must not be deleted."""
    if getattr(version, "lock_legal_status", None) == "ON":
        return True
    until = getattr(version, "lock_until", None)
    if not until or moment(until) <= now():
        return False
    return version.lock_mode == "COMPLIANCE" or not bypass


def target(call):
    if not call.bucket.object_lock_enabled:
        raise NONE
    found = find_version(call.bucket, call.params["Key"], call.params.get("VersionId"))
    if found is None:
        raise AwsError(
            "NoSuchVersion" if call.params.get("VersionId") else "NoSuchKey",
            "The specified version does not exist."
            if call.params.get("VersionId")
            else "The specified key does not exist.",
            404,
        )
    if not hasattr(found, "lock_mode"):
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    return found


@registry.instead("s3", "PutObjectRetention")
def put_retention(call):
    version, value = target(call), call.params.get("Retention") or {}
    mode, until = value.get("Mode"), value.get("RetainUntilDate")
    bypass = bool(call.params.get("BypassGovernanceRetention"))
    if (mode is None) != (until is None):
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    if until is not None and moment(until) <= now():
        raise AwsError("InvalidArgument", "The retain until date must be in the future!")
    if version.lock_until and moment(version.lock_until) > now():
        weaker = until is None or moment(until) < moment(version.lock_until) or mode != version.lock_mode
        if weaker and (version.lock_mode == "COMPLIANCE" or not bypass):
            stronger = (
                mode == "COMPLIANCE"
                and version.lock_mode == "GOVERNANCE"
                and until is not None
                and moment(until) >= moment(version.lock_until)
            )
            if not stronger:
                raise AwsError("AccessDenied", LOCKED, 403)
    version.lock_mode = mode
    version.lock_until = moment(until).strftime("%Y-%m-%dT%H:%M:%SZ") if until is not None else None
    return Response(200, {})


@registry.instead("s3", "GetObjectRetention")
def get_retention(call):
    version = target(call)
    if not version.lock_until:
        raise AwsError(
            "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration", 404
        )
    return {
        "Retention": {"Mode": version.lock_mode, "RetainUntilDate": moment(version.lock_until).replace(tzinfo=None)}
    }


@registry.instead("s3", "PutObjectLegalHold")
def put_legal_hold(call):
    target(call).lock_legal_status = (call.params.get("LegalHold") or {}).get("Status", "OFF")
    return Response(200, {})


@registry.instead("s3", "GetObjectLegalHold")
def get_legal_hold(call):
    version = target(call)
    if not version.lock_legal_status:
        raise AwsError(
            "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration", 404
        )
    return {"LegalHold": {"Status": version.lock_legal_status}}
