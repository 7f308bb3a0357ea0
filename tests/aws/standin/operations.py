"""Which AWS operation a request is: service, operation, region, protocol, parameters.

Everything is taken from botocore's service models: the target prefix of JSON services, `Action` of query services,
method, path, literal query and required query and header members of REST services. So S3's operations are told apart
exactly as its API model does it, and are named as AWS names them.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model
from werkzeug.datastructures import CombinedMultiDict, MultiDict

from .http import parse_query
from .settings import DEFAULT_REGION

# Operations whose path another one shares; AWS keeps the old names for old clients only.
OUTDATED = {
    "GetBucketLifecycle",
    "PutBucketLifecycle",
    "GetBucketNotification",
    "PutBucketNotification",
    "ListDirectoryBuckets",
    "WriteGetObjectResponse",
    "BucketCORSPreflightCheck",
    "ObjectCORSPreflightCheck",
}
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d+)/([^/]+)/([^/]+)/aws4_request")
# Names in credential scopes and target prefixes that botocore files under another name.
TARGETS = {"AmazonSQS": "sqs", "TrentService": "kms", "ResourceGroupsTaggingAPI_20170126": "tagging"}
MODEL_NAMES = {
    "tagging": "resourcegroupstaggingapi",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "cloudcontrolapi": "cloudcontrol",
    "es": "opensearch",
}


class Headers(dict):
    """Request headers for the parsers, which ask in any case and, for S3's many header members, very often."""

    def __contains__(self, name):
        return dict.__contains__(self, name.lower())

    def __getitem__(self, name):
        return dict.__getitem__(self, name.lower())

    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)


class Call:
    """One AWS call as the rest of the stand-in sees it."""

    def __init__(self, request, service, operation, region, access_key):
        self.request = request
        self.service = service
        self.operation = operation
        self.region = region
        self.access_key = access_key
        self.account = None  # the caller's account; credentials sets it
        self.identity = None
        self.bucket = None  # the bucket or queue that it is about, once a locator has found it
        self.queue = None
        self.moto_account = None  # where moto is to look, when it is not the caller's account (another's bucket)
        self.params = {}

    @property
    def name(self):
        return f"{self.service}:{self.operation}"

    @property
    def model(self):
        return model_of(self.service).operation_model(self.operation)

    @property
    def protocol(self):
        if "x-amz-target" in self.request.headers:
            return "json"
        if self.service == "sqs":
            return "query"
        try:
            return str(model_of(self.service).protocol)
        except Exception:
            return "query" if self.service != "s3" else "rest-xml"


@lru_cache(maxsize=None)
def model_of(service):
    return get_service_model(MODEL_NAMES.get(service, service))


def scope_of(request):
    """(access key, region, service) that the request is signed for, or Nones."""
    text = request.headers.get("authorization", "")
    found = CREDENTIAL.search(text)
    if not found:
        credential = request.first("X-Amz-Credential")
        found = CREDENTIAL.search("Credential=" + credential) if credential else None
    return (found.group(1), found.group(3), found.group(4)) if found else (None, None, None)


def read_call(request):
    """The call a request makes; `operation` is None where no model has one that fits."""
    access_key, region, service = scope_of(request)
    target = request.headers.get("x-amz-target")
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    action = None
    if target:
        prefix, _, action = target.partition(".")
        service = TARGETS.get(prefix, service)
    elif form and service != "s3":
        action = dict(parse_query(request.body.decode("utf-8", "replace"), form=True)).get("Action")
    if not action and service != "s3":
        action = request.first("Action")
    if service is None:
        service = "sts" if action else "s3"
    if service == "s3":
        action = s3_operation(request)
    elif not action:
        action = rest_operation(service, request)
    return Call(request, service, action, region or DEFAULT_REGION, access_key)


def s3_path(request):
    """(bucket, key) of a path-style request, each None where absent. SDKs use that style where the endpoint is an address."""
    bucket, _, key = request.path[1:].partition("/")
    return unquote(bucket) or None, unquote(key) or None


@lru_cache(maxsize=None)
def s3_table():
    """(method, depth) -> [(score, operation, query literals, required headers)], the most particular first."""
    table = {}
    model = model_of("s3")
    for name in model.operation_names:
        if name in OUTDATED:
            continue
        operation = model.operation_model(name)
        path, _, literals = operation.http["requestUri"].partition("?")
        depth = 0 if path == "/" else 1 if path == "/{Bucket}" else 2
        needs = {k: v for k, v in parse_query(literals) if k != "x-id"}
        headers = []
        shape = operation.input_shape
        for member in shape.required_members if shape else ():
            where = shape.members[member].serialization
            if where.get("location") == "querystring":
                needs.setdefault(where["name"], "")
            elif where.get("location") == "header":
                headers.append(where["name"].lower())
        table.setdefault((operation.http["method"], depth), []).append(
            (len(needs) + len(headers), name, needs, headers)
        )
    for rows in table.values():
        rows.sort(key=lambda row: -row[0])
    return table


def s3_operation(request):
    bucket, key = s3_path(request)
    depth = 0 if bucket is None else 1 if key is None else 2
    given = dict(request.query)
    for _, name, needs, headers in s3_table().get((request.method, depth), ()):
        if all(k in given and (not v or given[k] == v) for k, v in needs.items()):
            if all(header in request.headers for header in headers):
                return name
    return None


def rest_operation(service, request):
    """The operation of a REST service other than S3."""
    from moto.core.request import Request as MotoRequest
    from moto.core.routing import get_service_router

    from .bridge import environ_of

    try:
        operation, _ = get_service_router(service).match(MotoRequest(environ_of(request)))
        return operation.name
    except Exception:
        return None


def read_params(call):
    """The call's parameters as AWS's model names and types them. Raises whatever the parser raises on nonsense."""
    request = call.request
    protocol = call.protocol
    args = MultiDict(request.query)
    if protocol in ("query", "ec2"):
        form = MultiDict(parse_query(request.body.decode("utf-8"), form=True))
        args = CombinedMultiDict([args, form])
    uri = {}
    if call.service == "s3":
        bucket, key = s3_path(request)
        uri = {"Bucket": bucket, "Key": key}
    parser = PROTOCOL_PARSERS[protocol](call.model)
    parsed = parser.parse(
        {
            "method": request.method,
            "values": args,
            "headers": Headers(request.headers),
            "body": request.body,
            "url_path": request.path,
            "url_params": uri,
        }
    )
    return parsed or {}
