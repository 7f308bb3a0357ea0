"""Finding things by their tags, over the services that our tests use: S3, SQS and KMS. (moto's own takes buckets of
every region.)

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html: one region's tagged
resources; filters of different keys must all hold, of one key's values any; a type is `service` or `service:type`; 1
to 100 a page. IAM users and roles are not found by it, on AWS neither
(https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html).
"""

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from ..errors import AwsError, Gap
from ..tags import bucket_tags
from . import registry

KNOWN = ("s3", "s3:bucket", "sqs", "sqs:queue", "kms", "kms:key")


@registry.locator("tagging")
def only_these(call):
    if registry.handlers(call).instead is None:
        raise Gap("tagging", call.operation, "not in this stand-in")


def tagged(call):
    """[(type, ARN, tags)] of the account and region."""
    for bucket in s3_backends[call.account]["aws"].buckets.values():
        if bucket.region_name == call.region:
            yield "s3:bucket", bucket.arn, bucket_tags(bucket)
    for queue in sqs_backends[call.account][call.region].queues.values():
        yield "sqs:queue", queue.queue_arn, dict(queue.tags or {})
    kms = kms_backends[call.account][call.region]
    for key in kms.keys.values():
        yield (
            "kms:key",
            key.arn,
            {t["TagKey"]: t["TagValue"] for t in kms.list_resource_tags(key.id)["Tags"]} if key.id else {},
        )


@registry.instead("tagging", "GetResources")
def get_resources(call):
    params = call.params
    types = params.get("ResourceTypeFilters") or []
    for wanted in types:
        if wanted not in KNOWN:
            raise Gap("tagging", "GetResources", f"resources of type {wanted}")
    found = []
    for kind, arn, tags in tagged(call):
        if types and not any(kind == wanted or kind.startswith(wanted + ":") for wanted in types):
            continue
        filters = params.get("TagFilters") or []
        if tags and all(
            f.get("Key") in tags and (not f.get("Values") or tags[f["Key"]] in f["Values"]) for f in filters
        ):
            found.append({"ResourceARN": arn, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]})
    found.sort(key=lambda entry: entry["ResourceARN"])
    size, start = params.get("ResourcesPerPage") or 50, int(params.get("PaginationToken") or 0)
    if not 1 <= size <= 100:
        raise AwsError("InvalidParameterException", "ResourcesPerPage must be between 1 and 100")
    more = start + size < len(found)
    return {"ResourceTagMappingList": found[start : start + size], "PaginationToken": str(start + size) if more else ""}
