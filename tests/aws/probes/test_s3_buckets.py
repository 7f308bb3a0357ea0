"""Buckets: names, owners, regions, defaults."""

import unittest

from support import REGION, Keys, Probe

CONFIG = {"LocationConstraint": REGION}


class Buckets(Probe):
    def test_what_a_new_bucket_has(self):
        s3 = self.root("s3")
        name = self.name()
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={**CONFIG, "Tags": [{"Key": "a", "Value": "b"}]})
        self.assertEqual([{"Key": "a", "Value": "b"}], s3.get_bucket_tagging(Bucket=name)["TagSet"])
        rule = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(
            [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}], rule
        )
        self.assertEqual(
            {True}, set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
        )
        self.assertEqual(
            [{"ObjectOwnership": "BucketOwnerEnforced"}],
            s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"],
        )
        self.assertNotIn("Status", s3.get_bucket_versioning(Bucket=name))
        self.assertEqual(REGION, s3.get_bucket_location(Bucket=name)["LocationConstraint"])
        self.assertEqual(REGION, s3.head_bucket(Bucket=name)["BucketRegion"])
        self.assertEqual("AES256", s3.put_object(Bucket=name, Key="k", Body=b"")["ServerSideEncryption"])
        for get, code in (
            (s3.get_bucket_policy, "NoSuchBucketPolicy"),
            (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
            (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
            (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
            (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        ):
            self.refused(code, get, Bucket=name, status=404)
        self.assertEqual([name], [b["Name"] for b in s3.list_buckets()["Buckets"]])
        for get in (
            s3.get_bucket_logging,
            s3.get_bucket_notification_configuration,
            s3.get_bucket_accelerate_configuration,
        ):
            self.assertEqual({"ResponseMetadata"}, set(get(Bucket=name)), get)

    def test_names_regions_and_owners(self):
        s3 = self.root("s3")
        for name in ("ab", "Upper", "dots..dots", "1.2.3.4", "under_score", "-x-", "x" * 64, "xn--abc"):
            with self.subTest(name):
                self.refused("InvalidBucketName", s3.create_bucket, Bucket=name, CreateBucketConfiguration=CONFIG)
        self.refused("IllegalLocationConstraintException", s3.create_bucket, Bucket=self.name())
        self.refused(
            "IllegalLocationConstraintException",
            s3.create_bucket,
            Bucket=self.name(),
            CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
        )
        first = self.client("s3", Keys(f"AKIA{self.account}ROOT"), region="us-east-1")
        self.refused(
            "InvalidLocationConstraint",
            first.create_bucket,
            Bucket=self.name(),
            CreateBucketConfiguration={"LocationConstraint": "mars-1"},
        )
        name = self.bucket()
        self.refused(
            "BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=name, CreateBucketConfiguration=CONFIG, status=409
        )
        stranger = self.client("s3", Keys("AKIA000000000002ROOT"))
        self.refused(
            "BucketAlreadyExists", stranger.create_bucket, Bucket=name, CreateBucketConfiguration=CONFIG, status=409
        )
        self.refused("403", stranger.head_bucket, Bucket=name)
        self.refused("AccessDenied", stranger.delete_bucket, Bucket=name, status=403)
        home = self.name()
        for _ in range(2):
            first.create_bucket(Bucket=home)
        self.assertIsNone(first.get_bucket_location(Bucket=home)["LocationConstraint"])

    def test_the_expected_owner(self):
        s3, name = self.root("s3"), self.bucket()
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=self.account)
        self.refused("AccessDenied", s3.get_bucket_tagging, Bucket=name, ExpectedBucketOwner="111111111111", status=403)
        self.refused("403", s3.head_bucket, Bucket=name, ExpectedBucketOwner="111111111111")
        self.refused("AccessDenied", s3.delete_bucket, Bucket=name, ExpectedBucketOwner="111111111111")

    def test_deletion(self):
        s3, name = self.root("s3"), self.bucket()
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        version = s3.put_object(Bucket=name, Key="k", Body=b"x")["VersionId"]
        marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
        self.refused("BucketNotEmpty", s3.delete_bucket, Bucket=name, status=409)
        s3.delete_object(Bucket=name, Key="k", VersionId=version)
        self.refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
        s3.delete_object(Bucket=name, Key="k", VersionId=marker)
        s3.create_multipart_upload(Bucket=name, Key="m")
        s3.delete_bucket(Bucket=name)
        for call in (s3.delete_bucket, s3.get_bucket_tagging, s3.list_objects_v2, s3.get_bucket_policy):
            self.refused("NoSuchBucket", call, Bucket=name, status=404)
        self.refused("404", s3.head_bucket, Bucket=name)
        self.bucket()

    def test_listing_page_by_page(self):
        s3, names = self.root("s3"), sorted(self.bucket() for _ in range(3))
        first = s3.list_buckets(MaxBuckets=2)
        rest = s3.list_buckets(MaxBuckets=2, ContinuationToken=first["ContinuationToken"])
        self.assertEqual(names, [b["Name"] for b in first["Buckets"] + rest["Buckets"]])
        self.assertNotIn("ContinuationToken", rest)


if __name__ == "__main__":
    unittest.main()
