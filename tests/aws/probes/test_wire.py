"""Requests as other SDKs send them: chunked S3 bodies, the query form of SQS, S3's operations told apart."""

import http.client
import sys
import unittest
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import Probe, server  # noqa: E402

from standin import settings  # noqa: E402,F401
from standin.aws_chunked import unwrap  # noqa: E402
from standin.errors import AwsError  # noqa: E402
from standin.http import Request  # noqa: E402
from standin.operations import read_call  # noqa: E402


class Bodies(unittest.TestCase):
    def request(self, body, **headers):
        return Request("PUT", "/b/k", {k.replace("_", "-"): v for k, v in headers.items()}, body, True)

    def test_unsigned_with_trailer(self):
        request = self.request(
            b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n",
            x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            x_amz_decoded_content_length="11",
            content_encoding="aws-chunked,gzip",
            x_amz_trailer="x-amz-checksum-crc32",
        )
        unwrap(request)
        self.assertEqual(
            (b"hello world", "DUoRhQ==", "gzip", "11"),
            (
                request.body,
                request.headers["x-amz-checksum-crc32"],
                request.headers["content-encoding"],
                request.headers["content-length"],
            ),
        )

    def test_signed_chunks(self):
        signature = b";chunk-signature=" + b"0" * 64
        body = b"5" + signature + b"\r\nhello\r\n0" + signature + b"\r\n\r\n"
        request = self.request(
            body,
            x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            x_amz_decoded_content_length="5",
            content_encoding="aws-chunked",
        )
        unwrap(request)
        self.assertEqual(b"hello", request.body)
        self.assertNotIn("content-encoding", request.headers)
        with self.assertRaises(AwsError):
            unwrap(
                self.request(
                    body, x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", x_amz_decoded_content_length="6"
                )
            )


class Operations(unittest.TestCase):
    def test_s3(self):
        for method, target, headers, name in (
            ("GET", "/", {}, "ListBuckets"),
            ("PUT", "/b", {}, "CreateBucket"),
            ("PUT", "/b/", {}, "CreateBucket"),
            ("HEAD", "/b", {}, "HeadBucket"),
            ("GET", "/b", {}, "ListObjects"),
            ("GET", "/b?list-type=2&prefix=x", {}, "ListObjectsV2"),
            ("GET", "/b?versions", {}, "ListObjectVersions"),
            ("GET", "/b?uploads", {}, "ListMultipartUploads"),
            ("PUT", "/b?encryption", {}, "PutBucketEncryption"),
            ("POST", "/b?delete", {}, "DeleteObjects"),
            ("GET", "/b?lifecycle", {}, "GetBucketLifecycleConfiguration"),
            ("DELETE", "/b?lifecycle", {}, "DeleteBucketLifecycle"),
            ("PUT", "/b?notification", {}, "PutBucketNotificationConfiguration"),
            ("GET", "/b?publicAccessBlock", {}, "GetPublicAccessBlock"),
            ("GET", "/b?object-lock", {}, "GetObjectLockConfiguration"),
            ("PUT", "/b/k?x-id=PutObject", {}, "PutObject"),
            ("HEAD", "/b/k", {}, "HeadObject"),
            ("PUT", "/b/k", {"x-amz-copy-source": "b/j"}, "CopyObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "UploadPart"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", {"x-amz-copy-source": "b/j"}, "UploadPartCopy"),
            ("POST", "/b/k?uploads", {}, "CreateMultipartUpload"),
            ("POST", "/b/k?uploadId=u", {}, "CompleteMultipartUpload"),
            ("DELETE", "/b/k?uploadId=u", {}, "AbortMultipartUpload"),
            ("GET", "/b/k?uploadId=u", {}, "ListParts"),
            ("DELETE", "/b/k?versionId=v", {}, "DeleteObject"),
            ("GET", "/b/k?tagging", {}, "GetObjectTagging"),
            ("PUT", "/b/k?legal-hold", {}, "PutObjectLegalHold"),
        ):
            with self.subTest(name):
                self.assertEqual(
                    ("s3", name),
                    (lambda c: (c.service, c.operation))(read_call(Request(method, target, headers, b"", True))),
                )


class Query(Probe):
    def test_sqs_by_form(self):
        authorization = f"AWS4-HMAC-SHA256 Credential=AKIA{self.account}ROOT/20260101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0"

        def call(**fields):
            connection = http.client.HTTPConnection(urllib.parse.urlparse(server()["endpoint"]).netloc)
            connection.request(
                "POST",
                "/",
                urllib.parse.urlencode({"Version": "2012-11-05", **fields}),
                {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Authorization": authorization},
            )
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            return answer.status, body

        status, body = call(
            Action="CreateQueue", QueueName="q", **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "5"}
        )
        self.assertEqual(200, status, body)
        url = body.split("<QueueUrl>")[1].split("<")[0]
        self.assertIn(
            "<Value>5</Value>",
            call(Action="GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "DelaySeconds"})[1],
        )
        self.assertEqual(200, call(Action="SendMessage", QueueUrl=url, MessageBody="a&b", DelaySeconds="0")[0])
        self.assertIn("a&amp;b", call(Action="ReceiveMessage", QueueUrl=url, WaitTimeSeconds="1")[1])
        status, body = call(Action="GetQueueUrl", QueueName="none")
        self.assertEqual(400, status)
        self.assertIn("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>", body)


if __name__ == "__main__":
    unittest.main()
