"""Deleting objects, versions and delete markers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html, .../DeleteMarker.html and
.../AddingObjectstoVersionSuspendedBuckets.html: without a version a delete adds a marker in a versioned bucket,
replaces the null version by a null marker in a suspended one, and removes the object in one that never was versioned.
A version that is not there is a success. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html: up
to 1,000 keys, each permitted and answered for itself.
"""

from moto.s3.models import FakeDeleteMarker, s3_backends

from ..actions import Need
from ..authorize import Authorizer
from ..errors import AwsError
from ..http import Response
from ..principals import document
from ..s3_state import find_version
from . import registry
from .s3_lock import LOCKED, locked


class Deleted:
    def __init__(self, version=None, marker=False):
        self.version = version  # the version deleted, or the marker made
        self.marker = marker


def delete(bucket, key, version, bypass):
    if version is not None:
        found = find_version(bucket, key, version)
        if found is None:
            return Deleted(version)
        if locked(found, bypass):
            raise AwsError("AccessDenied", LOCKED, 403)
        remove(bucket, key, found)
        return Deleted(version, isinstance(found, FakeDeleteMarker))
    if bucket.versioning_status is None:
        found = find_version(bucket, key)
        if found is not None:
            remove(bucket, key, found)
        return Deleted()
    former = find_version(bucket, key, "null") if bucket.versioning_status == "Suspended" else None
    if former is not None:
        if locked(former, bypass):
            raise AwsError("AccessDenied", LOCKED, 403)
        remove(bucket, key, former)
    marker = FakeDeleteMarker(former or Named(key))
    if bucket.versioning_status == "Suspended":
        marker._version_id = "null"
    dict.__setitem__(bucket.keys, key, (bucket.keys.getlist(key) or []) + [marker])
    return Deleted(marker.version_id, True)


class Named:
    """What a delete marker of a key that never was refers to."""

    def __init__(self, name):
        self.name = name


def remove(bucket, key, version):
    rest = [v for v in bucket.keys.getlist(key) if v is not version]
    if rest:
        dict.__setitem__(bucket.keys, key, rest)
    else:
        dict.pop(bucket.keys, key)  # moto's own pop fails on delete markers
    if not isinstance(version, FakeDeleteMarker):
        s3_backends[bucket.account_id]["aws"].tagger.delete_all_tags_for_resource(version.arn)
        version.dispose()


@registry.instead("s3", "DeleteObject")
def delete_object(call):
    params = call.params
    done = delete(call.bucket, params["Key"], params.get("VersionId"), bool(params.get("BypassGovernanceRetention")))
    headers = {}
    if done.version is not None:
        headers["x-amz-version-id"] = done.version
    if done.marker:
        headers["x-amz-delete-marker"] = "true"
    return Response(204, headers)


@registry.instead("s3", "DeleteObjects")
def delete_objects(call):
    params, bucket = call.params, call.bucket
    objects = params["Delete"]["Objects"]
    if not 1 <= len(objects) <= 1000:
        raise AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    if not any(
        h == "content-md5" or h.startswith("x-amz-checksum-") or h == "x-amz-sdk-checksum-algorithm"
        for h in call.request.headers
    ):
        raise AwsError("InvalidRequest", "Missing required header for this request: Content-MD5")
    bypass = bool(params.get("BypassGovernanceRetention"))
    policy = document(bucket.policy) if bucket.policy else None
    authorizer = Authorizer(call)
    deleted, errors = [], []
    for item in objects:
        key, version = item["Key"], item.get("VersionId")
        actions = ["s3:DeleteObjectVersion" if version else "s3:DeleteObject"] + (
            ["s3:BypassGovernanceRetention"] if bypass else []
        )
        refused = next(
            (
                v
                for v in (
                    authorizer.verdict(
                        Need(
                            a,
                            f"{bucket.arn}/{key}",
                            {"s3:versionid": version} if version else {},
                            policy,
                            bucket.account_id,
                        )
                    )
                    for a in actions
                )
                if not v
            ),
            None,
        )
        if refused is not None:
            errors.append(
                {
                    "Key": key,
                    "Code": "AccessDenied",
                    "Message": "Access Denied",
                    **({"VersionId": version} if version else {}),
                }
            )
            continue
        try:
            done = delete(bucket, key, version, bypass)
        except AwsError as failure:
            errors.append(
                {
                    "Key": key,
                    "Code": failure.code,
                    "Message": failure.message,
                    **({"VersionId": version} if version else {}),
                }
            )
            continue
        entry = {"Key": key}
        if version:
            entry["VersionId"] = version
        if done.marker:
            entry.update(DeleteMarker=True, DeleteMarkerVersionId=done.version)
        deleted.append(entry)
    return {"Deleted": [] if params["Delete"].get("Quiet") else deleted, "Errors": errors}
