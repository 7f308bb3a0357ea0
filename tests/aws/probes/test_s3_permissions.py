"""Who may do what with buckets and objects."""

import unittest

from support import REGION, Probe, allow, document


class Permissions(Probe):
    def setUp(self):
        super().setUp()
        self.b = self.bucket()
        self.arn = f"arn:aws:s3:::{self.b}"
        for key in ("red/1", "blue/1", "*/1", "${aws:username}/1"):
            self.root("s3").put_object(Bucket=self.b, Key=key, Body=b"x")

    def reader(self, prefix, **more):
        return self.client(
            "s3",
            self.user(
                allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{self.arn}/{prefix}/*"),
                allow("s3:ListBucket", self.arn, Condition={"StringLike": {"s3:prefix": f"{prefix}/*"}}),
                **more,
            ),
        )

    def test_one_prefix(self):
        s3 = self.reader("red")
        s3.get_object(Bucket=self.b, Key="red/1")
        s3.put_object(Bucket=self.b, Key="red/2", Body=b"")
        self.assertEqual(2, s3.list_objects_v2(Bucket=self.b, Prefix="red/")["KeyCount"])
        for call in (
            lambda: s3.get_object(Bucket=self.b, Key="blue/1"),
            lambda: s3.put_object(Bucket=self.b, Key="blue/2", Body=b""),
            lambda: s3.list_objects_v2(Bucket=self.b),
            lambda: s3.list_objects_v2(Bucket=self.b, Prefix="blue/"),
            lambda: s3.copy_object(Bucket=self.b, Key="red/3", CopySource=f"{self.b}/blue/1"),
            lambda: s3.get_bucket_policy(Bucket=self.b),
            lambda: s3.delete_bucket(Bucket=self.b),
            lambda: s3.put_object(Bucket=self.b, Key="red/4", Body=b"", Tagging="a=b"),
        ):
            self.refused("AccessDenied", call, status=403)
        got = s3.delete_objects(Bucket=self.b, Delete={"Objects": [{"Key": "red/1"}, {"Key": "blue/1"}]})
        self.assertEqual(
            (["red/1"], ["blue/1"]), ([d["Key"] for d in got["Deleted"]], [e["Key"] for e in got["Errors"]])
        )
        self.refused("AccessDenied", s3.get_object, Bucket=self.b, Key="red/none")
        self.assertIn(
            f'is not authorized to perform: s3:PutObject on resource: "{self.arn}/blue/2" because no identity-based policy allows the s3:PutObject action',
            str(self.refused("AccessDenied", s3.put_object, Bucket=self.b, Key="blue/2", Body=b"")),
        )

    def test_a_prefix_is_only_text(self):
        star = self.reader("${*}")
        star.get_object(Bucket=self.b, Key="*/1")
        self.refused("AccessDenied", star.get_object, Bucket=self.b, Key="red/1")
        dollar = self.reader("${$}{aws:username}", name="red")
        dollar.get_object(Bucket=self.b, Key="${aws:username}/1")
        self.refused("AccessDenied", dollar.get_object, Bucket=self.b, Key="red/1")

    def test_only_tls_and_only_from_the_vpc(self):
        s3 = self.root("s3")
        s3.put_bucket_policy(
            Bucket=self.b,
            Policy=document(
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [self.arn, self.arn + "/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": self.arn + "/*",
                    "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
                },
            ),
        )
        keys = self.user(allow("s3:*", "*"))
        self.client("s3", keys).list_objects_v2(Bucket=self.b)
        self.refused("AccessDenied", self.client("s3", keys, insecure=True).list_objects_v2, Bucket=self.b)
        mine = self.client("s3", keys)
        error = self.refused("AccessDenied", mine.get_object, Bucket=self.b, Key="red/1")
        self.assertIn("with an explicit deny in a resource-based policy", str(error))
        mine.meta.events.register(
            "before-sign.s3", lambda request, **_: request.headers.add_header("x-standin-source-vpc", "vpc-1")
        )
        mine.get_object(Bucket=self.b, Key="red/1")
        insecure = self.root("s3", insecure=True)
        self.refused("AccessDenied", insecure.list_objects_v2, Bucket=self.b)
        insecure.delete_bucket_policy(Bucket=self.b)
        insecure.list_objects_v2(Bucket=self.b)

    def test_a_bucket_s_policy_grants(self):
        keys = self.user()
        self.refused("AccessDenied", self.client("s3", keys).get_object, Bucket=self.b, Key="red/1")
        self.root("s3").put_bucket_policy(
            Bucket=self.b,
            Policy=document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{self.account}:user/{keys.name}"},
                    "Action": "s3:GetObject",
                    "Resource": self.arn + "/red/*",
                }
            ),
        )
        self.client("s3", keys).get_object(Bucket=self.b, Key="red/1")
        self.refused("AccessDenied", self.client("s3", keys).get_object, Bucket=self.b, Key="blue/1")

    def test_the_actions_of_creation(self):
        keys = self.user(allow("s3:CreateBucket", "*"))
        s3 = self.client("s3", keys)
        config = {"LocationConstraint": REGION}
        self.refused(
            "AccessDenied",
            s3.create_bucket,
            Bucket=self.name(),
            CreateBucketConfiguration={**config, "Tags": [{"Key": "a", "Value": "b"}]},
        )
        self.refused(
            "AccessDenied",
            s3.create_bucket,
            Bucket=self.name(),
            CreateBucketConfiguration=config,
            ObjectLockEnabledForBucket=True,
        )
        self.refused(
            "AccessDenied",
            s3.create_bucket,
            Bucket=self.name(),
            CreateBucketConfiguration=config,
            ObjectOwnership="BucketOwnerPreferred",
        )
        s3.create_bucket(Bucket=self.name(), CreateBucketConfiguration=config)

    def test_a_key_of_kms_is_needed_too(self):
        key = self.root("kms").create_key()["KeyMetadata"]["Arn"]
        self.root("s3").put_bucket_encryption(
            Bucket=self.b,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
            },
        )
        self.root("s3").put_object(Bucket=self.b, Key="sealed", Body=b"x")
        s3 = self.client("s3", self.user(allow("s3:*", "*")))
        self.assertIn(
            "kms:GenerateDataKey", str(self.refused("AccessDenied", s3.put_object, Bucket=self.b, Key="k", Body=b""))
        )
        self.assertIn("kms:Decrypt", str(self.refused("AccessDenied", s3.get_object, Bucket=self.b, Key="sealed")))
        s3.get_object(Bucket=self.b, Key="red/1")
        able = self.client("s3", self.user(allow("s3:*", "*"), allow(["kms:GenerateDataKey", "kms:Decrypt"], key)))
        able.put_object(Bucket=self.b, Key="k", Body=b"")
        able.get_object(Bucket=self.b, Key="sealed")
        # The encryption context: the object, or the bucket where a Bucket Key is used.
        self.root("s3").put_object(Bucket=self.b, Key="quick", Body=b"x", BucketKeyEnabled=True)
        for context, readable in ((f"arn:aws:s3:::{self.b}", "quick"), (f"arn:aws:s3:::{self.b}/*", "sealed")):
            condition = {"StringLike": {"kms:EncryptionContext:aws:s3:arn": [context]}}
            reader = self.client("s3", self.user(allow("s3:*", "*"), allow("kms:Decrypt", "*", Condition=condition)))
            for name in ("quick", "sealed"):
                if name == readable:
                    reader.get_object(Bucket=self.b, Key=name)
                else:
                    self.refused("AccessDenied", reader.get_object, Bucket=self.b, Key=name)


if __name__ == "__main__":
    unittest.main()
