"""Faults, late visibility, gaps."""

import threading
import time
import unittest
import urllib.error
import urllib.parse

from botocore.exceptions import ClientError, HTTPClientError
from support import REGION, Probe, allow, control, document


class Faults(Probe):
    def test_errors_have_the_form_of_their_protocol(self):
        self.faults({"mode": "error", "code": "Mine", "message": "<&>", "status": 418, "times": None})
        for call in (
            self.root("s3").list_buckets,
            self.root("sqs").list_queues,
            self.root("iam").list_users,
            self.root("sts").get_caller_identity,
            self.root("kms").list_keys,
        ):
            error = self.refused("Mine", call, status=418)
            self.assertEqual("<&>", error.response["Error"]["Message"])
        with self.assertRaises(ClientError) as caught:
            self.root("s3").head_bucket(Bucket="b")
        self.assertEqual("418", caught.exception.response["Error"]["Code"])

    def test_throttling_is_the_service_s_own(self):
        self.faults({"mode": "throttle", "times": None, "retry_after": 7})
        self.assertEqual(
            "7",
            self.refused("SlowDown", self.root("s3").list_buckets, status=503).response["ResponseMetadata"][
                "HTTPHeaders"
            ]["retry-after"],
        )
        self.refused("Throttling", self.root("iam").list_users, status=400)
        self.refused("RequestThrottled", self.root("sqs").list_queues, status=400)
        self.refused("ThrottlingException", self.root("kms").list_keys, status=400)

    def test_skip_times_and_names(self):
        self.faults(
            {"service": "s3", "operation": "ListBuckets", "skip": 1, "times": 2, "mode": "error", "code": "Mine"}
        )
        s3 = self.root("s3")
        s3.list_buckets()
        self.root("iam").list_users()
        self.refused("Mine", s3.list_buckets)
        self.refused("Mine", s3.list_buckets)
        s3.list_buckets()

    def test_the_nth_call(self):
        self.faults({"call": 1, "mode": "error", "code": "Mine"})
        self.root("iam").list_users()
        self.refused("Mine", self.root("s3").list_buckets)
        self.root("s3").list_buckets()
        self.assertEqual(3, control("GET", f"accounts/{self.account}/faults")["calls"])

    def test_other_accounts_are_spared(self):
        from support import Keys

        self.faults({"mode": "error", "code": "Mine", "times": None})
        self.client("s3", Keys("AKIA000000000009ROOT")).list_buckets()

    def test_refuse_does_nothing_and_lose_reply_does_it(self):
        s3 = self.root("s3")
        for mode, made in (("refuse", 0), ("lose_reply", 1)):
            name = self.name()
            self.faults({"mode": mode, "operation": "CreateBucket"})
            with self.assertRaises(HTTPClientError):
                s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
            self.assertEqual(made, len(self.inventory()["buckets"]), mode)

    def test_latency_holds_up_nobody_else(self):
        self.faults({"mode": "latency", "seconds": 0.6, "operation": "ListUsers"})
        began = time.time()
        thread = threading.Thread(target=self.root("iam").list_users)
        thread.start()
        self.root("s3").list_buckets()
        self.assertLess(time.time() - began, 0.5)
        thread.join()
        self.assertGreaterEqual(time.time() - began, 0.6)

    def test_a_wrong_rule_is_refused(self):
        for rule in ({"mode": "explode"}, {"mode": "latency"}, {"mode": "error"}, {"mode": "refuse", "sevice": "s3"}):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.faults(rule)
            caught.exception.close()


class Gaps(Probe):
    def test_a_gap_is_loud(self):
        name = self.bucket()
        s3 = self.root("s3")
        self.refused(
            "StandInNotImplemented", s3.list_bucket_intelligent_tiering_configurations, Bucket=name, status=501
        )
        self.refused(
            "StandInNotImplemented",
            s3.put_bucket_notification_configuration,
            Bucket=name,
            status=501,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"QueueArn": f"arn:aws:sqs:{REGION}:{self.account}:q", "Events": ["s3:ObjectCreated:*"]}
                ]
            },
        )
        self.refused(
            "StandInNotImplemented",
            self.root("iam").generate_service_last_accessed_details,
            Arn="arn:aws:iam::1:user/x" * 2,
            status=501,
        )
        self.refused(
            "StandInNotImplemented", self.root("kms").connect_custom_key_store, CustomKeyStoreId="cks-12345", status=501
        )
        url = self.root("sqs").create_queue(QueueName="q")["QueueUrl"]
        self.refused("StandInNotImplemented", self.root("sqs").remove_permission, QueueUrl=url, Label="x", status=501)
        self.refused(
            "StandInNotImplemented",
            self.root("iam").attach_user_policy,
            UserName=self.user().name,
            status=501,
            PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
        )
        self.refused("StandInNotImplemented", self.root("eks").describe_cluster_versions, status=501)


class Late(Probe):
    def late(self, **value):
        control("PUT", f"accounts/{self.account}/visibility", value)

    def test_a_key_by_calls(self):
        self.late(calls=2)
        keys = self.user()
        sts = self.client("sts", keys)
        self.refused("InvalidClientTokenId", sts.get_caller_identity)
        self.refused("InvalidAccessKeyId", self.client("s3", keys).list_buckets)
        self.assertEqual(self.account, sts.get_caller_identity()["Account"])

    def user(self, *statements, **options):
        """As usual, but knocking until the user is there."""
        from support import Keys

        iam, name = self.root("iam"), self.name("user")
        iam.create_user(UserName=name)
        for _ in range(9):
            try:
                key = iam.create_access_key(UserName=name)["AccessKey"]
                keys = Keys(key["AccessKeyId"], key["SecretAccessKey"])
                keys.name = name
                return keys
            except iam.exceptions.NoSuchEntityException:
                continue

    def test_a_user(self):
        self.late(calls=1)
        iam = self.root("iam")
        iam.create_user(UserName="u")
        self.refused("NoSuchEntity", iam.get_user, UserName="u")
        self.assertEqual("u", iam.get_user(UserName="u")["User"]["UserName"])

    def test_a_policy_is_in_force_later(self):
        keys = self.user()
        self.late(calls=1)
        self.root("iam").put_user_policy(
            UserName=keys.name, PolicyName="p", PolicyDocument=document(allow("s3:ListAllMyBuckets", "*"))
        )
        self.refused("AccessDenied", self.client("s3", keys).list_buckets)
        self.client("s3", keys).list_buckets()

    def test_buckets_queues_and_principals_by_seconds(self):
        bucket = self.bucket()
        self.late(seconds=0.4)
        later = self.bucket()
        self.refused("404", self.root("s3").head_bucket, Bucket=later)
        url = self.root("sqs").create_queue(QueueName="q")["QueueUrl"]
        self.refused("AWS.SimpleQueueService.NonExistentQueue", self.root("sqs").get_queue_attributes, QueueUrl=url)
        self.root("iam").create_user(UserName="new")
        policy = document(
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{self.account}:user/new"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        )
        self.refused("MalformedPolicy", self.root("s3").put_bucket_policy, Bucket=bucket, Policy=policy)
        time.sleep(0.45)
        self.root("s3").head_bucket(Bucket=later)
        self.root("sqs").get_queue_attributes(QueueUrl=url)
        self.root("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


if __name__ == "__main__":
    unittest.main()
