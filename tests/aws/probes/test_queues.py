"""SQS: queues and their attributes."""

import json
import time
import unittest

from support import REGION, Probe, document

GONE = "AWS.SimpleQueueService.NonExistentQueue"


class Queues(Probe):
    def setUp(self):
        super().setUp()
        self.sqs = self.root("sqs")

    def queue(self, name="q", **attributes):
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def attributes(self, url, *names):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"]).get("Attributes", {})

    def arn(self, name="q"):
        return f"arn:aws:sqs:{REGION}:{self.account}:{name}"

    def test_what_a_new_queue_has(self):
        got = self.attributes(self.queue())
        for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
            self.assertAlmostEqual(time.time(), int(got.pop(name)), delta=5)
        self.assertEqual(
            {
                "QueueArn": self.arn(),
                "DelaySeconds": "0",
                "MaximumMessageSize": "1048576",
                "MessageRetentionPeriod": "345600",
                "ReceiveMessageWaitTimeSeconds": "0",
                "VisibilityTimeout": "30",
                "SqsManagedSseEnabled": "true",
                "ApproximateNumberOfMessages": "0",
                "ApproximateNumberOfMessagesNotVisible": "0",
                "ApproximateNumberOfMessagesDelayed": "0",
            },
            got,
        )
        fifo = self.attributes(
            self.queue("q.fifo", FifoQueue="true"),
            "FifoQueue",
            "ContentBasedDeduplication",
            "DeduplicationScope",
            "FifoThroughputLimit",
        )
        self.assertEqual(
            {
                "FifoQueue": "true",
                "ContentBasedDeduplication": "false",
                "DeduplicationScope": "queue",
                "FifoThroughputLimit": "perQueue",
            },
            fifo,
        )

    def test_names(self):
        for name, options in (
            ("a b", {}),
            ("x" * 81, {}),
            ("a.b", {}),
            ("q.fifo", {}),
            ("q", {"FifoQueue": "true"}),
            (".fifo", {"FifoQueue": "true"}),
        ):
            self.refused("InvalidParameterValue", self.queue, name, **options)
        self.queue("x" * 80)

    def test_attributes_out_of_range(self):
        url = self.queue()
        for name, values in {
            "DelaySeconds": ("-1", "901", "x"),
            "MaximumMessageSize": ("1023", "1048577"),
            "MessageRetentionPeriod": ("59", "1209601"),
            "ReceiveMessageWaitTimeSeconds": ("21",),
            "VisibilityTimeout": ("43201",),
            "KmsDataKeyReusePeriodSeconds": ("59", "86401"),
            "SqsManagedSseEnabled": ("yes",),
            "Policy": ("{", "[]", '{"Statement":[]}'),
            "RedrivePolicy": ("{}", "x", '{"deadLetterTargetArn":"x"}'),
            "RedriveAllowPolicy": ('{"redrivePermission":"some"}', '{"redrivePermission":"byQueue"}'),
        }.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.refused(
                        "InvalidAttributeValue",
                        self.sqs.set_queue_attributes,
                        QueueUrl=url,
                        Attributes={name: value},
                        status=400,
                    )
                    self.refused("InvalidAttributeValue", self.queue, "other", **{name: value})
        for name in ("Colour", "QueueArn", "FifoQueue", "ContentBasedDeduplication"):
            self.refused("InvalidAttributeName", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={name: "true"})
        self.refused("InvalidAttributeName", self.attributes, url, "Colour")

    def test_setting(self):
        url = self.queue()
        wanted = {
            "DelaySeconds": "900",
            "MaximumMessageSize": "1024",
            "MessageRetentionPeriod": "60",
            "ReceiveMessageWaitTimeSeconds": "20",
            "VisibilityTimeout": "0",
            "SqsManagedSseEnabled": "false",
        }
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes=wanted)
        self.assertEqual(wanted, self.attributes(url, *wanted))

    def test_creation_again(self):
        url = self.queue(VisibilityTimeout="5")
        self.assertEqual(url, self.queue(VisibilityTimeout="5"))
        self.assertEqual(url, self.queue())
        error = self.refused("QueueAlreadyExists", self.queue, VisibilityTimeout="6", status=400)
        self.assertIsInstance(error, self.sqs.exceptions.QueueNameExists)
        self.refused("QueueAlreadyExists", self.queue, DelaySeconds="6")
        self.queue(DelaySeconds="0")

    def test_deletion(self):
        from support import control

        url = self.queue()
        self.sqs.delete_queue(QueueUrl=url)
        for call, options in (
            (self.sqs.delete_queue, {}),
            (self.sqs.get_queue_attributes, {}),
            (self.sqs.send_message, {"MessageBody": "x"}),
            (self.sqs.receive_message, {}),
            (self.sqs.list_queue_tags, {}),
            (self.sqs.purge_queue, {}),
            (self.sqs.tag_queue, {"Tags": {}}),
        ):
            error = self.refused(GONE, call, QueueUrl=url, status=400, **options)
            self.assertIsInstance(error, self.sqs.exceptions.QueueDoesNotExist)
        self.refused(GONE, self.sqs.get_queue_url, QueueName="q")
        self.queue()
        control("PUT", f"accounts/{self.account}/sqs", {"name_cooldown": True})
        self.sqs.delete_queue(QueueUrl=url)
        self.refused("AWS.SimpleQueueService.QueueDeletedRecently", self.queue)

    def test_tags_urls_lists(self):
        url = self.sqs.create_queue(QueueName="q", tags={"a": "1"})["QueueUrl"]
        self.sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
        self.sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
        self.assertEqual({"b": "2"}, self.sqs.list_queue_tags(QueueUrl=url)["Tags"])
        self.assertEqual(url, self.sqs.get_queue_url(QueueName="q")["QueueUrl"])
        others = [self.queue(f"p{i}") for i in range(3)]
        first = self.sqs.list_queues(QueueNamePrefix="p", MaxResults=2)
        rest = self.sqs.list_queues(QueueNamePrefix="p", MaxResults=2, NextToken=first["NextToken"])
        self.assertEqual(others, first["QueueUrls"] + rest["QueueUrls"])
        self.assertNotIn("QueueUrls", self.sqs.list_queues(QueueNamePrefix="none"))

    def test_dead_letters(self):
        dead = self.queue("dead")
        url = self.queue(
            RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}),
            VisibilityTimeout="0",
        )
        self.assertEqual(
            {"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1},
            json.loads(self.attributes(url)["RedrivePolicy"]),
        )
        self.assertEqual([url], self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"])
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.assertEqual(1, len(self.sqs.receive_message(QueueUrl=url)["Messages"]))
        time.sleep(0.02)
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=url))
        self.assertEqual("x", self.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1)["Messages"][0]["Body"])
        self.sqs.send_message(QueueUrl=dead, MessageBody="again")
        self.sqs.start_message_move_task(SourceArn=self.arn("dead"))
        self.assertEqual("again", self.sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"])
        self.assertEqual(
            "COMPLETED", self.sqs.list_message_move_tasks(SourceArn=self.arn("dead"))["Results"][0]["Status"]
        )
        self.refused("InvalidParameterValue", self.sqs.start_message_move_task, SourceArn=self.arn())
        allow_none = json.dumps({"redrivePermission": "denyAll"})
        self.sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": allow_none})
        self.assertEqual(allow_none, self.attributes(dead)["RedriveAllowPolicy"])
        self.refused(
            "InvalidAttributeValue",
            self.queue,
            "r",
            RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}),
        )
        self.refused(
            "InvalidAttributeValue",
            self.queue,
            "r",
            RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("none"), "maxReceiveCount": 1}),
        )
        self.refused(
            "InvalidAttributeValue",
            self.queue,
            "r.fifo",
            FifoQueue="true",
            RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}),
        )
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
        self.assertNotIn("RedrivePolicy", self.attributes(url))
        self.assertEqual([], self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"])

    def test_encryption(self):
        key = self.root("kms").create_key()["KeyMetadata"]["KeyId"]
        url = self.queue(KmsMasterKeyId=key)
        got = self.attributes(url)
        self.assertEqual(
            (key, "300", "false"),
            (got["KmsMasterKeyId"], got["KmsDataKeyReusePeriodSeconds"], got["SqsManagedSseEnabled"]),
        )
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
        self.assertNotIn("KmsMasterKeyId", self.attributes(url))
        self.refused("InvalidAttributeValue", self.queue, "r", KmsMasterKeyId=key, SqsManagedSseEnabled="true")
        lost = self.queue("lost", KmsMasterKeyId="alias/none")
        self.refused("KmsNotFound", self.sqs.send_message, QueueUrl=lost, MessageBody="x")

    def test_policies(self):
        url = self.queue()
        rule = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": self.arn(),
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(rule)})
        self.assertEqual(json.loads(document(rule)), json.loads(self.attributes(url)["Policy"]))
        for broken in (
            {**rule, "Principal": {"AWS": f"arn:aws:iam::{self.account}:user/nobody"}},
            {**rule, "Action": "s3:*"},
            {**rule, "Effect": "No"},
        ):
            self.refused(
                "InvalidAttributeValue",
                self.sqs.set_queue_attributes,
                QueueUrl=url,
                Attributes={"Policy": document(broken)},
            )
        self.refused(
            "AccessDenied", self.root("sqs", insecure=True).send_message, QueueUrl=url, MessageBody="x", status=403
        )
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        self.assertNotIn("Policy", self.attributes(url))
        self.root("sqs", insecure=True).send_message(QueueUrl=url, MessageBody="x")


if __name__ == "__main__":
    unittest.main()
