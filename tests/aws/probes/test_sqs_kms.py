"""SQS and KMS."""

import json
import threading
import time
import unittest

from support import REGION, Probe, allow, document

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
        self.assertEqual({"QueueArn": self.arn(), "DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
                          "ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true", "ApproximateNumberOfMessages": "0",
                          "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0"}, got)
        fifo = self.attributes(self.queue("q.fifo", FifoQueue="true"), "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
        self.assertEqual({"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}, fifo)

    def test_names(self):
        for name, options in (("a b", {}), ("x" * 81, {}), ("a.b", {}), ("q.fifo", {}), ("q", {"FifoQueue": "true"}), (".fifo", {"FifoQueue": "true"})):
            self.refused("InvalidParameterValue", self.queue, name, **options)
        self.queue("x" * 80)

    def test_attributes_out_of_range(self):
        url = self.queue()
        for name, values in {"DelaySeconds": ("-1", "901", "x"), "MaximumMessageSize": ("1023", "1048577"), "MessageRetentionPeriod": ("59", "1209601"),
                             "ReceiveMessageWaitTimeSeconds": ("21",), "VisibilityTimeout": ("43201",), "KmsDataKeyReusePeriodSeconds": ("59", "86401"),
                             "SqsManagedSseEnabled": ("yes",), "Policy": ("{", "[]", '{"Statement":[]}'), "RedrivePolicy": ("{}", "x", '{"deadLetterTargetArn":"x"}'),
                             "RedriveAllowPolicy": ('{"redrivePermission":"some"}', '{"redrivePermission":"byQueue"}')}.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.refused("InvalidAttributeValue", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={name: value}, status=400)
                    self.refused("InvalidAttributeValue", self.queue, "other", **{name: value})
        for name in ("Colour", "QueueArn", "FifoQueue", "ContentBasedDeduplication"):
            self.refused("InvalidAttributeName", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={name: "true"})
        self.refused("InvalidAttributeName", self.attributes, url, "Colour")

    def test_setting(self):
        url = self.queue()
        wanted = {"DelaySeconds": "900", "MaximumMessageSize": "1024", "MessageRetentionPeriod": "60", "ReceiveMessageWaitTimeSeconds": "20",
                  "VisibilityTimeout": "0", "SqsManagedSseEnabled": "false"}
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
        for call, options in ((self.sqs.delete_queue, {}), (self.sqs.get_queue_attributes, {}), (self.sqs.send_message, {"MessageBody": "x"}),
                              (self.sqs.receive_message, {}), (self.sqs.list_queue_tags, {}), (self.sqs.purge_queue, {}), (self.sqs.tag_queue, {"Tags": {}})):
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
        url = self.queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}), VisibilityTimeout="0")
        self.assertEqual({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}, json.loads(self.attributes(url)["RedrivePolicy"]))
        self.assertEqual([url], self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"])
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.assertEqual(1, len(self.sqs.receive_message(QueueUrl=url)["Messages"]))
        time.sleep(0.02)
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=url))
        self.assertEqual("x", self.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1)["Messages"][0]["Body"])
        self.sqs.send_message(QueueUrl=dead, MessageBody="again")
        self.sqs.start_message_move_task(SourceArn=self.arn("dead"))
        self.assertEqual("again", self.sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"])
        self.assertEqual("COMPLETED", self.sqs.list_message_move_tasks(SourceArn=self.arn("dead"))["Results"][0]["Status"])
        self.refused("InvalidParameterValue", self.sqs.start_message_move_task, SourceArn=self.arn())
        allow_none = json.dumps({"redrivePermission": "denyAll"})
        self.sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": allow_none})
        self.assertEqual(allow_none, self.attributes(dead)["RedriveAllowPolicy"])
        self.refused("InvalidAttributeValue", self.queue, "r", RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}))
        self.refused("InvalidAttributeValue", self.queue, "r", RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("none"), "maxReceiveCount": 1}))
        self.refused("InvalidAttributeValue", self.queue, "r.fifo", FifoQueue="true",
                     RedrivePolicy=json.dumps({"deadLetterTargetArn": self.arn("dead"), "maxReceiveCount": 1}))
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
        self.assertNotIn("RedrivePolicy", self.attributes(url))
        self.assertEqual([], self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"])

    def test_encryption(self):
        key = self.root("kms").create_key()["KeyMetadata"]["KeyId"]
        url = self.queue(KmsMasterKeyId=key)
        got = self.attributes(url)
        self.assertEqual((key, "300", "false"), (got["KmsMasterKeyId"], got["KmsDataKeyReusePeriodSeconds"], got["SqsManagedSseEnabled"]))
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
        self.assertNotIn("KmsMasterKeyId", self.attributes(url))
        self.refused("InvalidAttributeValue", self.queue, "r", KmsMasterKeyId=key, SqsManagedSseEnabled="true")
        lost = self.queue("lost", KmsMasterKeyId="alias/none")
        self.refused("KmsNotFound", self.sqs.send_message, QueueUrl=lost, MessageBody="x")

    def test_policies(self):
        url = self.queue()
        rule = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": self.arn(), "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(rule)})
        self.assertEqual(json.loads(document(rule)), json.loads(self.attributes(url)["Policy"]))
        for broken in ({**rule, "Principal": {"AWS": f"arn:aws:iam::{self.account}:user/nobody"}}, {**rule, "Action": "s3:*"}, {**rule, "Effect": "No"}):
            self.refused("InvalidAttributeValue", self.sqs.set_queue_attributes, QueueUrl=url, Attributes={"Policy": document(broken)})
        self.refused("AccessDenied", self.root("sqs", insecure=True).send_message, QueueUrl=url, MessageBody="x", status=403)
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        self.assertNotIn("Policy", self.attributes(url))
        self.root("sqs", insecure=True).send_message(QueueUrl=url, MessageBody="x")


class Messages(Queues):
    for _name in [n for n in dir(Queues) if n.startswith("test_")]:
        locals()[_name] = None

    def test_round_trip(self):
        url = self.queue()
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="hé<&>", MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}})
        got = self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"][0]
        self.assertEqual((sent["MessageId"], "hé<&>", "v"), (got["MessageId"], got["Body"], got["MessageAttributes"]["a"]["StringValue"]))
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=url))
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
        time.sleep(0.01)
        got = self.sqs.receive_message(QueueUrl=url)["Messages"][0]
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
        self.assertEqual("0", self.attributes(url)["ApproximateNumberOfMessages"])
        self.refused("ReceiptHandleIsInvalid", self.sqs.delete_message, QueueUrl=url, ReceiptHandle="x")
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.sqs.purge_queue(QueueUrl=url)
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=url))

    def test_waiting_holds_up_nobody(self):
        url, began = self.queue(), time.time()
        found = []
        thread = threading.Thread(target=lambda: found.append(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)))
        thread.start()
        time.sleep(0.3)
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        thread.join()
        self.assertEqual("x", found[0]["Messages"][0]["Body"])
        self.assertLess(time.time() - began, 1.5)
        self.refused("InvalidParameterValue", self.sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
        self.refused("InvalidParameterValue", self.sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)

    def test_fifo(self):
        url = self.queue("q.fifo", FifoQueue="true")
        send = dict(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
        self.sqs.send_message(**send)
        self.sqs.send_message(**send)
        self.assertEqual("1", self.attributes(url)["ApproximateNumberOfMessages"])
        self.refused("MissingParameter", self.sqs.send_message, QueueUrl=url, MessageBody="x")
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": "true"})
        self.sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")

    def test_batches_and_sizes(self):
        url = self.queue(MaximumMessageSize="1024")
        got = self.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}])
        self.assertEqual(["a", "b"], [e["Id"] for e in got["Successful"]])
        self.refused("AWS.SimpleQueueService.EmptyBatchRequest", self.sqs.send_message_batch, QueueUrl=url, Entries=[])
        self.refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", self.sqs.send_message_batch, QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}] * 2)
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url, MessageBody="x" * 1025)

    def test_permissions(self):
        url = self.queue()
        producer = self.client("sqs", self.user(allow(["sqs:SendMessage", "sqs:GetQueueAttributes"], self.arn())))
        consumer = self.client("sqs", self.user(allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"], self.arn())))
        producer.send_message(QueueUrl=url, MessageBody="x")
        producer.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}])
        error = self.refused("AccessDenied", producer.receive_message, QueueUrl=url, status=403)
        self.assertIn(f"is not authorized to perform: sqs:receivemessage on resource: {self.arn()} because no identity-based policy allows the sqs:", str(error))
        self.refused("AccessDenied", consumer.send_message, QueueUrl=url, MessageBody="x")
        self.refused("AccessDenied", consumer.purge_queue, QueueUrl=url)
        self.refused("AccessDenied", producer.delete_queue, QueueUrl=url)
        got = consumer.receive_message(QueueUrl=url)["Messages"][0]
        consumer.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": got["ReceiptHandle"]}])
        maker = self.client("sqs", self.user(allow("sqs:CreateQueue", "*")))
        self.refused("AccessDenied", maker.create_queue, QueueName="r", tags={"a": "b"})
        maker.create_queue(QueueName="r")

    def test_the_key_of_an_encrypted_queue(self):
        key = self.root("kms").create_key()["KeyMetadata"]["Arn"]
        url = self.queue(KmsMasterKeyId=key)
        poor = self.client("sqs", self.user(allow("sqs:*", "*")))
        self.refused("KmsAccessDenied", poor.send_message, QueueUrl=url, MessageBody="x", status=400)
        able = self.client("sqs", self.user(allow("sqs:*", "*"), allow(["kms:GenerateDataKey", "kms:Decrypt"], key)))
        able.send_message(QueueUrl=url, MessageBody="x")
        self.refused("KmsAccessDenied", poor.receive_message, QueueUrl=url)
        self.assertEqual(1, len(able.receive_message(QueueUrl=url)["Messages"]))


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
        locked = kms.create_key(Policy=document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"}, "Action": ["kms:Put*", "kms:Describe*"], "Resource": "*"}),
                                BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
        strong = self.client("kms", self.user(allow("kms:*", "*")))
        self.refused("AccessDeniedException", strong.encrypt, KeyId=locked, Plaintext=b"x")


if __name__ == "__main__":
    unittest.main()
