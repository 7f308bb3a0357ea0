"""Bodies that S3 clients send in `aws-chunked` pieces, put together again, and their checksums looked at.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html. Trailers become ordinary headers.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html (BadDigest)
"""

import base64
import hashlib
import zlib

from .errors import AwsError


def unwrap(request):
    """Makes the request what it would be had its body been sent in one piece."""
    if not request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return
    body, rest, pieces = request.body, 0, []
    while True:
        end = body.index(b"\r\n", rest)
        size = int(body[rest:end].split(b";")[0], 16)
        rest = end + 2
        if size == 0:
            break
        pieces.append(body[rest : rest + size])
        rest += size + 2
    for line in body[rest:].split(b"\r\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if colon and name.lower() != "x-amz-trailer-signature":
            request.headers[name.strip().lower()] = value.strip()
    request.body = b"".join(pieces)
    wanted = request.headers.get("x-amz-decoded-content-length")
    if wanted is not None and int(wanted) != len(request.body):
        raise AwsError("IncompleteBody", "The request body terminated unexpectedly")
    request.headers["content-length"] = str(len(request.body))
    request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    for name in ("x-amz-trailer", "x-amz-decoded-content-length"):
        request.headers.pop(name, None)
    encoding = [
        e.strip()
        for e in request.headers.get("content-encoding", "").split(",")
        if e.strip() not in ("", "aws-chunked")
    ]
    request.headers.pop("content-encoding", None)
    if encoding:
        request.headers["content-encoding"] = ",".join(encoding)


CHECKSUMS = {
    "content-md5": lambda body: hashlib.md5(body).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}


def verify_checksums(request):
    for header, compute in CHECKSUMS.items():
        given = request.headers.get(header)
        if given and base64.b64encode(compute(request.body)).decode() != given:
            # The checksums of CompleteMultipartUpload are of the whole object, not of the request.
            if header != "content-md5" and request.first("uploadId") and request.method == "POST":
                continue
            kind = "Content-MD5" if header == "content-md5" else header.rsplit("-", 1)[1].upper()
            raise AwsError("BadDigest", f"The {kind} you specified did not match the calculated checksum.")
