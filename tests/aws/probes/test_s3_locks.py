"""Object Lock."""

import datetime
import unittest

from support import Probe, allow


class Locks(Probe):
    def setUp(self):
        super().setUp()
        self.s3 = self.root("s3")
        self.b = self.bucket(ObjectLockEnabledForBucket=True)

    def soon(self, seconds=3600):
        return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=seconds)

    def put(self, **options):
        return self.s3.put_object(Bucket=self.b, Key="k", Body=b"x", ChecksumAlgorithm="SHA256", **options)["VersionId"]

    def delete(self, version, **options):
        return self.s3.delete_object(Bucket=self.b, Key="k", VersionId=version, **options)

    def test_configuration(self):
        s3, b = self.s3, self.b
        self.assertEqual(
            {"ObjectLockEnabled": "Enabled"}, s3.get_object_lock_configuration(Bucket=b)["ObjectLockConfiguration"]
        )
        self.assertEqual("Enabled", s3.get_bucket_versioning(Bucket=b)["Status"])
        self.refused(
            "InvalidBucketState",
            s3.put_bucket_versioning,
            Bucket=b,
            VersioningConfiguration={"Status": "Suspended"},
            status=409,
        )
        config = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
        s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration=config)
        self.assertEqual(config, s3.get_object_lock_configuration(Bucket=b)["ObjectLockConfiguration"])
        version = self.put()
        self.assertEqual("GOVERNANCE", s3.get_object_retention(Bucket=b, Key="k")["Retention"]["Mode"])
        self.refused("AccessDenied", self.delete, version, status=403)
        plain = self.bucket()
        self.refused(
            "InvalidBucketState",
            s3.put_object_lock_configuration,
            Bucket=plain,
            ObjectLockConfiguration=config,
            status=409,
        )
        self.refused("InvalidRequest", s3.put_object_legal_hold, Bucket=plain, Key="k", LegalHold={"Status": "ON"})
        s3.put_bucket_versioning(Bucket=plain, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object_lock_configuration(Bucket=plain, ObjectLockConfiguration=config)
        self.refused(
            "MalformedXML",
            s3.put_object_lock_configuration,
            Bucket=b,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1, "Years": 1}},
            },
        )

    def test_governance(self):
        version = self.put(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=self.soon())
        self.refused("AccessDenied", self.delete, version)
        got = self.s3.delete_objects(Bucket=self.b, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
        self.assertEqual(("AccessDenied", version), (got["Errors"][0]["Code"], got["Errors"][0]["VersionId"]))
        keys = self.user(allow(["s3:DeleteObjectVersion"], "*"))
        self.refused(
            "AccessDenied",
            self.client("s3", keys).delete_object,
            Bucket=self.b,
            Key="k",
            VersionId=version,
            BypassGovernanceRetention=True,
        )
        self.assertTrue(self.s3.delete_object(Bucket=self.b, Key="k")["DeleteMarker"], "a marker may always be put")
        self.delete(version, BypassGovernanceRetention=True)

    def test_compliance_and_legal_hold(self):
        version = self.put(ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=self.soon())
        self.refused("AccessDenied", self.delete, version, BypassGovernanceRetention=True)
        self.refused(
            "AccessDenied",
            self.s3.put_object_retention,
            Bucket=self.b,
            Key="k",
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": self.soon(60)},
        )
        self.s3.put_object_retention(
            Bucket=self.b, Key="k", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": self.soon(7200)}
        )
        held = self.put(ObjectLockLegalHoldStatus="ON")
        self.refused("AccessDenied", self.delete, held, BypassGovernanceRetention=True)
        self.s3.put_object_legal_hold(Bucket=self.b, Key="k", VersionId=held, LegalHold={"Status": "OFF"})
        self.assertEqual(
            "OFF", self.s3.get_object_legal_hold(Bucket=self.b, Key="k", VersionId=held)["LegalHold"]["Status"]
        )
        self.delete(held)
        self.refused("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.b)


if __name__ == "__main__":
    unittest.main()
