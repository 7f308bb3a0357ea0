"""The settings of a bucket."""

import json
import unittest

from support import REGION, Keys, Probe, document

CONFIG = {"LocationConstraint": REGION}


class Settings(Probe):
    def setUp(self):
        super().setUp()
        self.s3, self.b = self.root("s3"), self.bucket()

    def test_tags(self):
        s3, b = self.s3, self.b
        self.refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=b, status=404)
        tags = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "x y:z/=+-@"}]
        self.assertEqual(
            204, s3.put_bucket_tagging(Bucket=b, Tagging={"TagSet": tags})["ResponseMetadata"]["HTTPStatusCode"]
        )
        self.assertEqual(tags, s3.get_bucket_tagging(Bucket=b)["TagSet"])
        for bad in (
            [{"Key": "aws:x", "Value": ""}],
            [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
            [{"Key": "x" * 129, "Value": ""}],
            [{"Key": "a", "Value": "v" * 257}],
            [{"Key": "a!", "Value": "v"}],
        ):
            self.refused("InvalidTag", s3.put_bucket_tagging, Bucket=b, Tagging={"TagSet": bad})
        self.refused(
            "BadRequest",
            s3.put_bucket_tagging,
            Bucket=b,
            Tagging={"TagSet": [{"Key": str(i), "Value": ""} for i in range(51)]},
        )
        s3.delete_bucket_tagging(Bucket=b)
        self.refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=b)

    def test_encryption(self):
        s3, b = self.s3, self.b
        key = self.root("kms").create_key()["KeyMetadata"]["Arn"]
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                "BucketKeyEnabled": True,
            }
        ]
        s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={"Rules": rules})
        self.assertEqual(rules, s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"])
        put = s3.put_object(Bucket=b, Key="k", Body=b"x")
        self.assertEqual(("aws:kms", key), (put["ServerSideEncryption"], put["SSEKMSKeyId"]))
        self.assertEqual(key, s3.head_object(Bucket=b, Key="k")["SSEKMSKeyId"])
        self.refused(
            "InvalidArgument",
            s3.put_bucket_encryption,
            Bucket=b,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": key}}]
            },
        )
        self.refused(
            "MalformedXML",
            s3.put_bucket_encryption,
            Bucket=b,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "rot13"}}]
            },
        )
        s3.delete_bucket_encryption(Bucket=b)
        self.assertEqual(
            "AES256",
            s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"][0][
                "ApplyServerSideEncryptionByDefault"
            ]["SSEAlgorithm"],
        )

    def test_a_key_that_cannot_be_used(self):
        kms, s3, b = self.root("kms"), self.s3, self.b
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        put = dict(Bucket=b, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        s3.put_object(**put)
        kms.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", s3.put_object, **put)
        self.refused(
            "KMS.NotFoundException", s3.put_object, **{**put, "SSEKMSKeyId": "00000000-0000-0000-0000-000000000000"}
        )

    def test_public_access_and_ownership(self):
        s3, b = self.s3, self.b
        s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        self.assertEqual(
            {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": False,
                "BlockPublicPolicy": False,
                "RestrictPublicBuckets": False,
            },
            s3.get_public_access_block(Bucket=b)["PublicAccessBlockConfiguration"],
        )
        s3.delete_public_access_block(Bucket=b)
        self.refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=b, status=404)
        self.refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=b, ACL="private")
        self.refused("AccessControlListNotSupported", s3.put_object, Bucket=b, Key="k", ACL="public-read")
        s3.put_object(Bucket=b, Key="k", ACL="bucket-owner-full-control")
        s3.delete_bucket_ownership_controls(Bucket=b)
        self.refused("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=b, status=404)
        s3.put_bucket_ownership_controls(
            Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        )
        s3.put_object(Bucket=b, Key="k", ACL="private")

    def test_lifecycle(self):
        s3, b = self.s3, self.b
        rules = [
            {
                "ID": "one",
                "Status": "Enabled",
                "Filter": {"Prefix": "logs/"},
                "Expiration": {"Days": 365},
                "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3},
            },
            {
                "ID": "two",
                "Status": "Disabled",
                "Filter": {"And": {"Prefix": "x", "Tags": [{"Key": "a", "Value": "b"}], "ObjectSizeGreaterThan": 500}},
                "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER_IR"}],
            },
            {
                "ID": "three",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
        ]
        s3.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": rules})
        got = s3.get_bucket_lifecycle_configuration(Bucket=b)
        self.assertEqual(rules, got["Rules"])
        self.assertEqual("all_storage_classes_128K", got["TransitionDefaultMinimumObjectSize"])
        s3.put_bucket_lifecycle_configuration(
            Bucket=b, LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
        )
        self.assertTrue(s3.get_bucket_lifecycle_configuration(Bucket=b)["Rules"][0]["ID"], "S3 makes up an ID")
        base = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}}
        for code, rule in (
            ("InvalidRequest", {}),
            ("InvalidArgument", {"Expiration": {"Days": 0}}),
            ("MalformedXML", {"Status": "On", "Expiration": {"Days": 1}}),
            ("InvalidArgument", {"Transitions": [{"Days": 29, "StorageClass": "STANDARD_IA"}]}),
            ("MalformedXML", {"Transitions": [{"Days": 29, "StorageClass": "TAPE"}]}),
            ("InvalidArgument", {"Expiration": {"Days": 30}, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}),
            *(
                ("InvalidArgument", {"Transitions": [{"Days": d, "StorageClass": c} for d, c in steps]})
                for steps in (
                    ((30, "STANDARD_IA"), (59, "GLACIER")),
                    ((90, "STANDARD_IA"), (30, "GLACIER")),
                    ((10, "DEEP_ARCHIVE"), (100, "GLACIER")),
                    ((10, "GLACIER"), (10, "DEEP_ARCHIVE")),
                    ((10, "GLACIER"), (100, "GLACIER")),
                    ((30, "ONEZONE_IA"), (90, "GLACIER_IR")),
                )
            ),
            (
                "InvalidRequest",
                {
                    "Filter": {"Tag": {"Key": "a", "Value": "b"}},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                },
            ),
            ("MalformedXML", {"Filter": {"Prefix": "a", "Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}}),
        ):
            with self.subTest(rule):
                self.refused(
                    code,
                    s3.put_bucket_lifecycle_configuration,
                    Bucket=b,
                    LifecycleConfiguration={"Rules": [{**base, **rule}]},
                )
        self.refused(
            "InvalidArgument",
            s3.put_bucket_lifecycle_configuration,
            Bucket=b,
            LifecycleConfiguration={"Rules": [{**base, "Expiration": {"Days": 1}}] * 2},
        )
        s3.delete_bucket_lifecycle(Bucket=b)
        self.refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=b)

    def test_cors(self):
        s3, b = self.s3, self.b
        rules = [
            {
                "ID": "r",
                "AllowedMethods": ["GET", "PUT"],
                "AllowedOrigins": ["https://*.example.com"],
                "AllowedHeaders": ["*"],
                "ExposeHeaders": ["ETag"],
                "MaxAgeSeconds": 60,
            },
            {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
        ]
        s3.put_bucket_cors(Bucket=b, CORSConfiguration={"CORSRules": rules})
        self.assertEqual(rules, s3.get_bucket_cors(Bucket=b)["CORSRules"])
        self.refused(
            "InvalidRequest",
            s3.put_bucket_cors,
            Bucket=b,
            CORSConfiguration={"CORSRules": [{"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}]},
        )
        self.refused(
            "InvalidRequest",
            s3.put_bucket_cors,
            Bucket=b,
            CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*.*"]}]},
        )
        exposed = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["*"]}
        self.refused("InvalidRequest", s3.put_bucket_cors, Bucket=b, CORSConfiguration={"CORSRules": [exposed]})
        self.refused(
            "MalformedXML", s3.put_bucket_cors, Bucket=b, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"]}]}
        )
        s3.delete_bucket_cors(Bucket=b)
        self.refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=b)

    def test_versioning_event_bridge_acceleration(self):
        s3, b = self.s3, self.b
        for status in ("Enabled", "Suspended", "Enabled"):
            s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": status})
            self.assertEqual(status, s3.get_bucket_versioning(Bucket=b)["Status"])
        self.refused("MalformedXML", s3.put_bucket_versioning, Bucket=b, VersioningConfiguration={"Status": "On"})
        s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={"EventBridgeConfiguration": {}})
        self.assertEqual({}, s3.get_bucket_notification_configuration(Bucket=b)["EventBridgeConfiguration"])
        s3.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={})
        self.assertNotIn("EventBridgeConfiguration", s3.get_bucket_notification_configuration(Bucket=b))
        s3.put_bucket_accelerate_configuration(Bucket=b, AccelerateConfiguration={"Status": "Enabled"})
        self.assertEqual("Enabled", s3.get_bucket_accelerate_configuration(Bucket=b)["Status"])

    def test_logging(self):
        s3, b, target = self.s3, self.b, self.bucket()
        wanted = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "logs/"}}
        self.refused("InvalidTargetBucketForLogging", s3.put_bucket_logging, Bucket=b, BucketLoggingStatus=wanted)
        self.refused(
            "InvalidTargetBucketForLogging",
            s3.put_bucket_logging,
            Bucket=b,
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": self.name(), "TargetPrefix": ""}},
        )
        s3.put_bucket_policy(
            Bucket=target,
            Policy=document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "logging.s3.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": f"arn:aws:s3:::{target}/logs/*",
                },
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [f"arn:aws:s3:::{target}", f"arn:aws:s3:::{target}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
        )
        s3.put_bucket_logging(Bucket=b, BucketLoggingStatus=wanted)
        self.assertEqual(wanted["LoggingEnabled"], s3.get_bucket_logging(Bucket=b)["LoggingEnabled"])
        s3.put_bucket_logging(Bucket=b, BucketLoggingStatus={})
        self.assertNotIn("LoggingEnabled", s3.get_bucket_logging(Bucket=b))
        far = self.name()
        self.client("s3", Keys(f"AKIA{self.account}ROOT"), region="us-west-2").create_bucket(
            Bucket=far, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        self.refused(
            "CrossLocationLoggingProhibitted",
            s3.put_bucket_logging,
            Bucket=b,
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": far, "TargetPrefix": ""}},
            status=403,
        )

    def test_policies(self):
        s3, b = self.s3, self.b
        arn = f"arn:aws:s3:::{b}"
        secure = {
            "Sid": "Tls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, arn + "/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        self.assertEqual(
            204, s3.put_bucket_policy(Bucket=b, Policy=document(secure))["ResponseMetadata"]["HTTPStatusCode"]
        )
        self.assertEqual(json.loads(document(secure)), json.loads(s3.get_bucket_policy(Bucket=b)["Policy"]))
        self.assertFalse(s3.get_bucket_policy_status(Bucket=b)["PolicyStatus"]["IsPublic"])
        give = {"Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "s3:GetObject", "Resource": arn + "/*"}
        s3.put_bucket_policy(Bucket=b, Policy=document(give))
        kept = json.loads(s3.get_bucket_policy(Bucket=b)["Policy"])["Statement"][0]
        self.assertEqual({"AWS": f"arn:aws:iam::{self.account}:root"}, kept["Principal"])
        for broken in (
            "",
            "no",
            "{",
            "[]",
            document(),
            document({**give, "Resource": "arn:aws:s3:::other/*"}),
            document({**give, "Resource": "*x"}),
            document({**give, "Resource": arn}),
            document({**give, "Action": "sqs:*"}),
            document({**give, "Effect": "Perhaps"}),
            document({**give, "Condition": {"StringIs": {"a": "b"}}}),
            document({**give, "Principal": {"AWS": f"arn:aws:iam::{self.account}:user/nobody"}}),
            document({**give, "Principal": {"AWS": "me"}}),
            document({k: v for k, v in give.items() if k != "Principal"}),
            document({**give, "Extra": 1}),
            json.dumps({"Version": "2020-01-01", "Statement": [give]}),
        ):
            with self.subTest(broken):
                self.refused(
                    "MissingRequestBodyError" if not broken else "MalformedPolicy",
                    s3.put_bucket_policy,
                    Bucket=b,
                    Policy=broken,
                    status=400,
                )
        self.refused(
            "AccessDenied", s3.put_bucket_policy, Bucket=b, Policy=document({**give, "Principal": "*"}), status=403
        )
        s3.delete_bucket_policy(Bucket=b)
        self.refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=b)


if __name__ == "__main__":
    unittest.main()
