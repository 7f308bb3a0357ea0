"""Listing objects, versions and uploads, page by page.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, .../API_ListObjects.html,
.../API_ListObjectVersions.html, .../API_ListMultipartUploads.html: keys in UTF-8 order, a common prefix counts as one
entry, a page has at most 1,000 entries, markers are exclusive; versions of a key run from the newest.
"""

from urllib.parse import quote

from moto.s3.models import FakeDeleteMarker

from ..errors import AwsError
from . import registry
from .s3_buckets import owner_id


def page(items, name_of, prefix, delimiter, size):
    """(entries, common prefixes, the last item shown or None when that was all). `items` are in order."""
    shown, prefixes, last = [], [], None
    for item in items:
        name = name_of(item)
        if not name.startswith(prefix):
            continue
        common = None
        if delimiter:
            at = name.find(delimiter, len(prefix))
            if at >= 0:
                common = name[: at + len(delimiter)]
                if prefixes and prefixes[-1] == common:
                    last = item
                    continue
        if len(shown) + len(prefixes) >= size:
            return shown, prefixes, last
        if common is not None:
            prefixes.append(common)
        else:
            shown.append(item)
        last = item
    return shown, prefixes, None


def sizes(params, name):
    given = params.get(name)
    if given is not None and given < 0:
        raise AwsError(
            "InvalidArgument", f"Argument {name[0].lower() + name[1:]} must be an integer between 0 and 2147483647"
        )
    return 1000 if given is None else min(given, 1000)


def ordered(names):
    return sorted(names, key=lambda name: name.encode("utf-8", "surrogatepass"))


def encoder(params):
    return (lambda text: quote(text, safe="/*-._~")) if params.get("EncodingType") == "url" else (lambda text: text)


def live(bucket):
    """The current objects, in order."""
    found = []
    for name in ordered(bucket.keys):
        newest = bucket.keys.getlist(name)[-1]
        if not isinstance(newest, FakeDeleteMarker):
            found.append(newest)
    return found


def entry(key, encode, owner=None):
    shown = {
        "Key": encode(key.name),
        "LastModified": key.last_modified,
        "ETag": key.etag,
        "Size": key.size,
        "StorageClass": key.storage_class,
    }
    if owner:
        shown["Owner"] = {"ID": owner}
    if key.checksum_algorithm:
        shown["ChecksumAlgorithm"] = [key.checksum_algorithm]
    return shown


def common_fields(call, encode, size_member, size):
    params = call.params
    found = {"Name": call.bucket.name, "Prefix": encode(params.get("Prefix") or ""), size_member: size}
    if params.get("Delimiter"):
        found["Delimiter"] = encode(params["Delimiter"])
    if params.get("EncodingType"):
        found["EncodingType"] = params["EncodingType"]
    return found


@registry.instead("s3", "ListObjectsV2")
def list_objects_v2(call):
    params, bucket = call.params, call.bucket
    size, encode = sizes(params, "MaxKeys"), encoder(params)
    token = params.get("ContinuationToken")
    after = bytes.fromhex(token).decode() if token else params.get("StartAfter") or ""
    items = [k for k in live(bucket) if k.name > after]
    shown, prefixes, last = page(items, lambda k: k.name, params.get("Prefix") or "", params.get("Delimiter"), size)
    owner = owner_id(bucket.account_id) if params.get("FetchOwner") else None
    found = common_fields(call, encode, "MaxKeys", size)
    found.update(
        Contents=[entry(k, encode, owner) for k in shown],
        CommonPrefixes=[{"Prefix": encode(p)} for p in prefixes],
        KeyCount=len(shown) + len(prefixes),
        IsTruncated=last is not None and size > 0,
    )
    if params.get("StartAfter"):
        found["StartAfter"] = encode(params["StartAfter"])
    if token:
        found["ContinuationToken"] = token
    if found["IsTruncated"]:
        found["NextContinuationToken"] = last.name.encode().hex()
    return found


@registry.instead("s3", "ListObjects")
def list_objects(call):
    params, bucket = call.params, call.bucket
    size, encode = sizes(params, "MaxKeys"), encoder(params)
    marker = params.get("Marker") or ""
    items = [
        k
        for k in live(bucket)
        if k.name > marker
        and not (params.get("Delimiter") and marker.endswith(params["Delimiter"]) and k.name.startswith(marker))
    ]
    shown, prefixes, last = page(items, lambda k: k.name, params.get("Prefix") or "", params.get("Delimiter"), size)
    found = common_fields(call, encode, "MaxKeys", size)
    found.update(
        Marker=encode(marker),
        Contents=[entry(k, encode, owner_id(bucket.account_id)) for k in shown],
        CommonPrefixes=[{"Prefix": encode(p)} for p in prefixes],
        IsTruncated=last is not None and size > 0,
    )
    if found["IsTruncated"] and params.get("Delimiter"):
        found["NextMarker"] = encode(last.name if not prefixes or last in shown else prefixes[-1])
    return found


@registry.instead("s3", "ListObjectVersions")
def list_object_versions(call):
    params, bucket = call.params, call.bucket
    size, encode = sizes(params, "MaxKeys"), encoder(params)
    key_marker, version_marker = params.get("KeyMarker") or "", params.get("VersionIdMarker")
    if version_marker and not key_marker:
        raise AwsError("InvalidArgument", "A version-id marker cannot be specified without a key marker.")
    items = []
    for name in ordered(bucket.keys):
        versions = list(reversed(bucket.keys.getlist(name)))
        if name < key_marker or (name == key_marker and not version_marker):
            continue
        start = 0
        if name == key_marker:
            start = 1 + next((i for i, v in enumerate(versions) if v.version_id == version_marker), -1)
        items += [(v, v is versions[0]) for v in versions[start:]]
    shown, prefixes, last = page(
        items, lambda item: item[0].name, params.get("Prefix") or "", params.get("Delimiter"), size
    )
    owner = {"ID": owner_id(bucket.account_id)}
    versions, markers = [], []
    for item, latest in shown:
        common = {"VersionId": item.version_id, "IsLatest": latest, "Owner": owner}
        if isinstance(item, FakeDeleteMarker):
            markers.append({"Key": encode(item.name), "LastModified": item.last_modified, **common})
        else:
            versions.append({**entry(item, encode), **common})
    found = common_fields(call, encode, "MaxKeys", size)
    found.update(
        KeyMarker=encode(key_marker),
        VersionIdMarker=version_marker or "",
        Versions=versions,
        DeleteMarkers=markers,
        CommonPrefixes=[{"Prefix": encode(p)} for p in prefixes],
        IsTruncated=last is not None and size > 0,
    )
    if found["IsTruncated"]:
        found.update(NextKeyMarker=encode(last[0].name), NextVersionIdMarker=last[0].version_id)
    return found


@registry.instead("s3", "ListMultipartUploads")
def list_multipart_uploads(call):
    params, bucket = call.params, call.bucket
    size, encode = sizes(params, "MaxUploads"), encoder(params)
    key_marker, id_marker = params.get("KeyMarker") or "", params.get("UploadIdMarker") or ""
    uploads = sorted(bucket.multiparts.values(), key=lambda u: (u.key_name.encode(), u.id))
    uploads = [
        u for u in uploads if (u.key_name, u.id) > (key_marker, id_marker) and (id_marker or u.key_name != key_marker)
    ]
    shown, prefixes, last = page(
        uploads, lambda u: u.key_name, params.get("Prefix") or "", params.get("Delimiter"), size
    )
    owner = {"ID": owner_id(bucket.account_id)}
    found = {
        "Bucket": bucket.name,
        "KeyMarker": encode(key_marker),
        "UploadIdMarker": id_marker,
        "MaxUploads": size,
        "Prefix": encode(params.get("Prefix") or ""),
        "IsTruncated": last is not None and size > 0,
        "CommonPrefixes": [{"Prefix": encode(p)} for p in prefixes],
        "Uploads": [
            {
                "Key": encode(u.key_name),
                "UploadId": u.id,
                "Initiated": getattr(u, "standin_initiated", None),
                "StorageClass": u.storage or "STANDARD",
                "Owner": owner,
                "Initiator": owner,
            }
            for u in shown
        ],
    }
    if found["IsTruncated"]:
        found.update(NextKeyMarker=encode(last.key_name), NextUploadIdMarker=last.id)
    return found
