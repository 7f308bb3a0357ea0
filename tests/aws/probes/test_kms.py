"""KMS, and finding things by tag."""

import unittest

from support import REGION, Probe, allow, document

GONE = "AWS.SimpleQueueService.NonExistentQueue"


class Kms(Probe):
    def test_encryption_and_context(self):
        kms = self.root("kms")
        key = kms.create_key(Description="d", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
        blob = kms.encrypt(KeyId="alias/mine", Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]
        self.assertEqual(b"secret", kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"])
        self.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "c"})
        self.assertEqual(32, len(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]))
        for call in (kms.describe_key, kms.enable_key):
            self.refused("NotFoundException", call, KeyId="00000000-0000-0000-0000-000000000000")
        self.refused("ValidationException", kms.create_key, KeyUsage="DANCE")

    def test_states(self):
        kms = self.root("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.disable_key(KeyId=key)
        self.refused("DisabledException", kms.encrypt, KeyId=key, Plaintext=b"x")
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        self.refused("KMSInvalidStateException", kms.encrypt, KeyId=key, Plaintext=b"x")
        self.assertEqual("PendingDeletion", self.inventory()["kms_keys"][0]["state"])

    def test_permissions(self):
        kms = self.root("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        poor, able = (self.client("kms", self.user(*s)) for s in ((), (allow("kms:Encrypt", key),)))
        self.refused("AccessDeniedException", poor.encrypt, KeyId=key, Plaintext=b"x", status=400)
        blob = able.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        self.refused("AccessDeniedException", able.decrypt, CiphertextBlob=blob)
        locked = kms.create_key(
            Policy=document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
                    "Action": ["kms:Put*", "kms:Describe*"],
                    "Resource": "*",
                }
            ),
            BypassPolicyLockoutSafetyCheck=True,
        )["KeyMetadata"]["Arn"]
        strong = self.client("kms", self.user(allow("kms:*", "*")))
        self.refused("AccessDeniedException", strong.encrypt, KeyId=locked, Plaintext=b"x")


class Tagging(Probe):
    def test_resources_by_tag(self):
        api, s3 = self.root("resourcegroupstaggingapi"), self.root("s3")
        bucket = self.bucket()
        s3.put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": [{"Key": "owner", "Value": "a"}, {"Key": "x", "Value": "y"}]}
        )
        self.root("sqs").create_queue(QueueName="q", tags={"owner": "b"})
        key = self.root("kms").create_key(Tags=[{"TagKey": "owner", "TagValue": "a"}])["KeyMetadata"]["Arn"]
        self.bucket()

        def found(*filters, **options):
            return [
                r["ResourceARN"]
                for r in api.get_resources(TagFilters=list(filters), **options)["ResourceTagMappingList"]
            ]

        self.assertEqual([key, f"arn:aws:s3:::{bucket}"], found({"Key": "owner", "Values": ["a"]}))
        self.assertEqual(
            [f"arn:aws:sqs:{REGION}:{self.account}:q"], found({"Key": "owner"}, ResourceTypeFilters=["sqs"])
        )
        self.assertEqual([f"arn:aws:s3:::{bucket}"], found({"Key": "owner"}, {"Key": "x", "Values": ["y", "z"]}))
        first = api.get_resources(ResourcesPerPage=2)
        self.assertEqual(
            1,
            len(
                api.get_resources(ResourcesPerPage=2, PaginationToken=first["PaginationToken"])[
                    "ResourceTagMappingList"
                ]
            ),
        )
        self.refused("AccessDeniedException", self.client("resourcegroupstaggingapi", self.user()).get_resources)


if __name__ == "__main__":
    unittest.main()
