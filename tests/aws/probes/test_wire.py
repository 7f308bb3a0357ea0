"""Requests as other SDKs send them: chunked S3 bodies, the query form of SQS, S3's operations told apart."""

import http.client
import sys
import unittest
import urllib.parse
import xml.etree.ElementTree
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


class Roots(Probe):
    def test_s3_replies_have_the_elements_that_strict_clients_ask_for(self):
        """The Rust SDK refuses a reply whose outermost element is another."""
        s3, name = self.root("s3"), self.bucket(ObjectLockEnabledForBucket=True)
        config = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
        s3.put_bucket_cors(Bucket=name, CORSConfiguration=config)
        rule = {"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        s3.put_bucket_website(Bucket=name, WebsiteConfiguration={"IndexDocument": {"Suffix": "i"}})
        s3.put_bucket_accelerate_configuration(Bucket=name, AccelerateConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=name, Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")
        upload = s3.create_multipart_upload(Bucket=name, Key="m")["UploadId"]
        for target, root in (
            ("", "ListBucketResult"), ("?list-type=2", "ListBucketResult"), ("?versions", "ListVersionsResult"),
            ("?uploads", "ListMultipartUploadsResult"), ("?versioning", "VersioningConfiguration"), ("?tagging", "Tagging"),
            ("?cors", "CORSConfiguration"), ("?lifecycle", "LifecycleConfiguration"), ("?website", "WebsiteConfiguration"),
            ("?accelerate", "AccelerateConfiguration"), ("?requestPayment", "RequestPaymentConfiguration"),
            ("?logging", "BucketLoggingStatus"), ("?notification", "NotificationConfiguration"),
            ("?acl", "AccessControlPolicy"), ("?encryption", "ServerSideEncryptionConfiguration"),
            ("?publicAccessBlock", "PublicAccessBlockConfiguration"), ("?ownershipControls", "OwnershipControls"),
            ("?object-lock", "ObjectLockConfiguration"), ("?location", "LocationConstraint"),
            ("/k?tagging", "Tagging"), ("/k?legal-hold", "LegalHold"), (f"/m?uploadId={upload}", "ListPartsResult"),
        ):  # fmt: skip
            with self.subTest(target):
                self.assertEqual(root, self.outermost(f"/{name}{target}"))
        self.assertEqual("ListAllMyBucketsResult", self.outermost("/"))

    def outermost(self, target):
        connection = http.client.HTTPConnection(urllib.parse.urlparse(server()["endpoint"]).netloc)
        scope = f"AKIA{self.account}ROOT/20260101/eu-west-1/s3/aws4_request"
        header = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        connection.request("GET", target, headers={"Authorization": header})
        body = connection.getresponse().read()
        connection.close()
        return xml.etree.ElementTree.fromstring(body).tag.rsplit("}")[-1]


if __name__ == "__main__":
    unittest.main()
