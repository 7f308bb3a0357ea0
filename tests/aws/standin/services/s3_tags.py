"""Tags of buckets: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html (errors),
https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/allocation-tag-restrictions.html (lengths, characters, 50
tags).
"""

import re

from moto.s3.models import s3_backends

from ..errors import AwsError
from ..tags import bucket_tags

ALLOWED = re.compile(r"[\w\s.:/=+@-]*")


def check_tags(tags, most, what):
    seen = set()
    if len(tags) > most:
        raise AwsError("BadRequest", f"{what} tag count cannot be greater than {most}")
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not 1 <= len(key) <= 128 or not ALLOWED.fullmatch(key):
            raise AwsError("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > 256 or not ALLOWED.fullmatch(value):
            raise AwsError("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value)
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidTag", "System tags cannot be added/updated by requester", TagKey=key)
        if key in seen:
            raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        seen.add(key)


def put_tags(bucket, tags):
    check_tags(tags, 50, "Bucket")
    tagger = s3_backends[bucket.account_id]["aws"].tagger
    tagger.delete_all_tags_for_resource(bucket.arn)
    if tags:
        tagger.tag_resource(bucket.arn, [{"Key": t["Key"], "Value": t.get("Value") or ""} for t in tags])


def tag_set(bucket):
    return [{"Key": key, "Value": value} for key, value in bucket_tags(bucket).items()]
