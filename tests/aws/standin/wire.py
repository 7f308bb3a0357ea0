"""Results and errors in the wire form of each protocol.

Results go through moto's serializers, which write what botocore's model says. Errors are written here.
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (S3: an <Error> element; HEAD has no body),
https://smithy.io/2.0/aws/protocols/ (query, ec2, awsJson, restJson1; `x-amzn-query-error` for awsQueryCompatible).
"""

import json
import re
import uuid
from xml.sax.saxutils import escape

from moto.core.serialize import XFormedAttributePicker, get_serializer_class

from .http import Response
from .operations import model_of

# Errors that are not SQS's own: the type in JSON ends in Exception, the query code does not.
ROOT = re.compile(rb"<([A-Za-z]+)[ />]")
COMMON = ("AccessDenied", "InvalidParameterValue")

# S3's reply elements that botocore's model does not name. Strict clients (the Rust SDK) look at them; each is on the
# operation's page, e.g. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
S3_ROOTS = {
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "ListParts": "ListPartsResult",
}


def with_s3_root(call, response):
    """The reply under the element that S3 calls it."""
    root = S3_ROOTS.get(call.operation)
    found = ROOT.search(response.body) if root else None
    if found:
        wrong = found.group(1)
        head, rest = response.body[: found.start(1)], response.body[found.end(1) :]
        response.body = head + root.encode() + rest.replace(b"</" + wrong + b">", b"</" + root.encode() + b">")
    return response


def result(call, value, status=None, headers=None):
    """The reply that carries `value`, a dict with the members of the operation's output shape."""
    model = model_of(call.service)
    serializer = get_serializer_class(model.service_name, call.protocol)(
        operation_model=call.model, pretty_print=False, value_picker=XFormedAttributePicker(response_transformers=None)
    )
    reply = serializer.serialize(value or {})
    response = Response(reply["status_code"], {**reply["headers"], **(headers or {})}, reply["body"] or b"")
    response.headers.setdefault("x-amzn-RequestId", str(uuid.uuid4()))
    if call.service == "s3":
        response.headers["x-amz-request-id"] = response.headers.pop("x-amzn-RequestId").replace("-", "").upper()[:16]
        if not call.model.output_shape and response.status == 200:
            response.headers.pop("Content-Type", None)
            response.body = b""
        if status is None and call.model.http.get("responseCode"):
            response.status = call.model.http["responseCode"]
    if status is not None:
        response.status = status
    return response


def error(call, failure):
    """The reply that carries an `AwsError`."""
    request_id = str(uuid.uuid4())
    protocol = call.protocol
    headers = dict(failure.headers)
    if call.service == "s3":
        request_id = request_id.replace("-", "").upper()[:16]
        headers.update({"x-amz-request-id": request_id, "x-amz-id-2": "standin"})
        if call.request.method == "HEAD":
            return Response(failure.status, headers)
        headers["Content-Type"] = "application/xml"
        extra = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in failure.fields.items())
        return Response(
            failure.status,
            headers,
            (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Error><Code>{escape(failure.code)}</Code><Message>{escape(failure.message)}</Message>{extra}"
                f"<Resource>{escape(call.request.path)}</Resource><RequestId>{request_id}</RequestId>"
                "<HostId>standin</HostId></Error>"
            ),
        )
    headers["x-amzn-RequestId"] = request_id
    if protocol in ("json", "rest-json"):
        return json_error(call, failure, headers, protocol)
    headers["Content-Type"] = "text/xml"
    kind = "Sender" if failure.status < 500 else "Receiver"
    code, message = escape(query_code(call, failure.code)), escape(failure.message)
    if protocol == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    else:
        space = namespace(call.service)
        body = (
            f'<ErrorResponse xmlns="{space}"><Error><Type>{kind}</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Response(failure.status, headers, '<?xml version="1.0" encoding="UTF-8"?>\n' + body)


def json_error(call, failure, headers, protocol):
    kind = failure.code
    if call.service == "sqs":
        side = "Sender" if failure.status < 500 else "Receiver"
        headers["x-amzn-query-error"] = f"{query_code(call, failure.code)};{side}"
        common = failure.code in COMMON
        kind = f"com.amazon.coral.service#{failure.code}Exception" if common else f"com.amazonaws.sqs#{failure.code}"
    version = "1.1"
    try:
        version = model_of(call.service).metadata.get("jsonVersion", "1.0")
    except Exception:
        pass
    headers["Content-Type"] = f"application/x-amz-json-{version}" if protocol == "json" else "application/json"
    headers["x-amzn-ErrorType"] = failure.code
    return Response(failure.status, headers, json.dumps({"__type": kind, "message": failure.message, **failure.fields}))


def query_code(call, code):
    """SQS's query protocol has codes of its own for some errors; the model names them."""
    if call.service != "sqs":
        return code
    try:
        return model_of("sqs").shape_for(code).metadata.get("error", {}).get("code", code)
    except Exception:
        return code


def namespace(service):
    try:
        return model_of(service).metadata.get("xmlNamespace", "")
    except Exception:
        return ""
