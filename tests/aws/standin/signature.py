"""Signature Version 4, verified: in the Authorization header and in presigned URLs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html. The chunk signatures of a streamed S3
body are not looked at; its seed signature and the declared payload hash are.
"""

import datetime
import hashlib
import hmac
import re
from functools import lru_cache
from urllib.parse import quote, unquote

PARTS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
TOLERATED_SKEW = 15 * 60


class Refused(Exception):
    """The signature does not prove the key. `reason`: signature | expired | skewed | token | payload."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason
        self.message = message


def verify(request, identity):
    """Passes, or raises Refused."""
    given = read(request)
    if given is None:
        raise Refused("signature", "The request signature we calculated does not match the signature you provided.")
    scope, signed_headers, signature, date, presigned = given
    check_time(request, date, presigned)
    token = request.first("X-Amz-Security-Token") or request.header("x-amz-security-token")
    if identity.token is not None and token != identity.token:
        raise Refused("token", "The security token included in the request is invalid.")
    if identity.expired:
        raise Refused("expired", "The security token included in the request is expired")
    _, day, region, service, _ = scope.split("/")
    payload = payload_hash(request, service, presigned)
    canonical = "\n".join(
        (
            request.method,
            canonical_path(request.path, service),
            canonical_query(request.query_string, presigned),
            "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed_headers),
            ";".join(signed_headers),
            payload,
        )
    )
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{digest}"
    wanted = hmac.new(signing_key(identity.secret, day, region, service), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, signature):
        raise Refused(
            "signature",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        )


def read(request):
    """(scope, signed headers, signature, date, presigned?) or None."""
    header = request.header("authorization")
    if header:
        if not header.startswith("AWS4-HMAC-SHA256"):
            return None
        parts = dict(PARTS.findall(header))
        date = request.header("x-amz-date")
        if date is None or len(parts) != 3:
            return None
        return parts["Credential"], parts["SignedHeaders"].split(";"), parts["Signature"], date, False
    query = dict(request.query)
    if query.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or "X-Amz-Signature" not in query:
        return None
    return (
        query["X-Amz-Credential"],
        query.get("X-Amz-SignedHeaders", "host").split(";"),
        query["X-Amz-Signature"],
        query.get("X-Amz-Date", ""),
        True,
    )


def check_time(request, date, presigned):
    try:
        signed = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise Refused("signature", "Date must be in ISO-8601 'basic format'.") from None
    age = (datetime.datetime.now(datetime.timezone.utc) - signed).total_seconds()
    if presigned:
        if age > int(request.first("X-Amz-Expires", "0")) or age < -TOLERATED_SKEW:
            raise Refused("presigned-expired", "Request has expired")
    elif abs(age) > TOLERATED_SKEW:
        raise Refused("skewed", "The difference between the request time and the current time is too large.")


def payload_hash(request, service, presigned):
    declared = request.header("x-amz-content-sha256")
    if service == "s3":
        declared = declared or "UNSIGNED-PAYLOAD"
        if re.fullmatch("[0-9a-f]{64}", declared) and hashlib.sha256(request.body).hexdigest() != declared:
            raise Refused("payload", "The provided 'x-amz-content-sha256' header does not match what was computed.")
        return declared
    return hashlib.sha256(request.body).hexdigest()


def canonical_path(path, service):
    """S3 signs the path as it is sent; every other service signs it encoded once more."""
    if service == "s3":
        return quote(unquote(path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    return quote(path, safe="/-_.~") or "/"


def canonical_query(query_string, presigned):
    pairs = []
    for part in query_string.split("&"):
        if part:
            key, _, value = part.partition("=")
            key, value = unquote(key), unquote(value)
            if presigned and key == "X-Amz-Signature":
                continue
            pairs.append((quote(key, safe="-_.~"), quote(value, safe="-_.~")))
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))


@lru_cache(maxsize=4096)
def signing_key(secret, day, region, service):
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
