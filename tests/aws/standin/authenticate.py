"""Proof of identity: the key exists, is active, and signed this request. Refusals in each service's own words.

https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html (InvalidClientTokenId, SignatureDoesNotMatch
...), https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList (InvalidAccessKeyId,
ExpiredToken ...), https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html, and for
JSON services UnrecognizedClientException https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
"""

from moto.core.utils import utcnow
from moto.iam.models import AccessKeyLastUsed

from . import signature
from .credentials import ANONYMOUS
from .errors import AwsError
from .world import world

# reason -> (code for query services, code for S3, code for JSON services)
CODES = {
    "unknown": ("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"),
    "token": ("InvalidClientTokenId", "InvalidToken", "UnrecognizedClientException"),
    "expired": ("ExpiredToken", "ExpiredToken", "ExpiredTokenException"),
    "signature": ("SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException"),
    "payload": ("SignatureDoesNotMatch", "XAmzContentSHA256Mismatch", "InvalidSignatureException"),
    "skewed": ("SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidSignatureException"),
    "presigned-expired": ("AccessDenied", "AccessDenied", "AccessDeniedException"),
}


def authenticate(call):
    identity = call.identity
    if identity is ANONYMOUS:
        if call.service not in ("s3", "sqs") and call.operation not in (
            "AssumeRoleWithWebIdentity",
            "AssumeRoleWithSAML",
        ):
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        return
    if identity is None or not identity.active or world.account(call.account).visibility.hidden("key", call.access_key):
        raise refusal(
            call,
            "unknown",
            "The AWS Access Key Id you provided does not exist in our records."
            if call.service == "s3"
            else "The security token included in the request is invalid.",
        )
    if identity.secret is None:
        return
    try:
        signature.verify(call.request, identity)
    except signature.Refused as refused:
        raise refusal(call, refused.reason, refused.message) from None
    if identity.moto_key is not None:
        identity.moto_key.last_used = AccessKeyLastUsed(utcnow(), call.service, call.region)


def refusal(call, reason, message):
    query, s3, json = CODES[reason]
    if call.service == "s3":
        status = 400 if s3 in ("ExpiredToken", "InvalidToken", "XAmzContentSHA256Mismatch") else 403
        extra = {"AWSAccessKeyId": call.access_key} if s3 == "InvalidAccessKeyId" else {}
        return AwsError(s3, message, status, **extra)
    if call.service == "sqs":
        return AwsError(query, message, 403)
    if call.protocol in ("json", "rest-json"):
        return AwsError(json, message, 400 if call.protocol == "json" else 403)
    return AwsError(query, message, 403)
