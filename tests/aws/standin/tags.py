"""Tags of moto's objects as plain dicts."""

from moto.s3.models import s3_backends


def bucket_tags(bucket):
    return s3_backends[bucket.account_id][bucket.partition].tagger.get_tag_dict_for_resource(bucket.arn)


def object_tags(key):
    return s3_backends[key.account_id]["aws"].tagger.get_tag_dict_for_resource(key.arn)


def entity_tags(iam, arn):
    """Tags of an IAM user."""
    return iam.tagger.get_tag_dict_for_resource(arn)


def role_tags(role):
    return {tag["Key"]: tag.get("Value", "") for tag in role.tags or ()}


def from_list(tags):
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}
