"""Finding S3's things in moto's state, over all accounts: bucket names are global."""

from moto.s3.models import FakeDeleteMarker, s3_backends


def find_bucket(name):
    place = s3_backends.bucket_accounts.get(name)
    if place is None:
        return None
    partition, account = place
    return s3_backends[account][partition].buckets.get(name)


def find_object(bucket, key, version=None):
    """The object or the version of it, or None; a delete marker is none."""
    found = find_version(bucket, key, version)
    return None if isinstance(found, FakeDeleteMarker) else found


def find_version(bucket, key, version=None):
    """Whatever stands at a key: object, version or delete marker."""
    if bucket is None:
        return None
    versions = bucket.keys.getlist(key) or []
    if version is None:
        return versions[-1] if versions else None
    return next((v for v in versions if str(v.version_id) == version), None)
