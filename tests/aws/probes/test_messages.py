"""SQS: messages, and who may send and receive them."""

import threading
import time
import unittest

from support import allow

GONE = "AWS.SimpleQueueService.NonExistentQueue"
import test_queues


class Messages(test_queues.Queues):
    """Its own tests only; the queues' are run by themselves."""

    for _name in [n for n in dir(test_queues.Queues) if n.startswith("test_")]:
        locals()[_name] = None

    def test_round_trip(self):
        url = self.queue()
        sent = self.sqs.send_message(
            QueueUrl=url, MessageBody="hé<&>", MessageAttributes={"a": {"DataType": "String", "StringValue": "v"}}
        )
        got = self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"][
            0
        ]
        self.assertEqual(
            (sent["MessageId"], "hé<&>", "v"),
            (got["MessageId"], got["Body"], got["MessageAttributes"]["a"]["StringValue"]),
        )
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
        thread = threading.Thread(
            target=lambda: found.append(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5))
        )
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
        got = self.sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}]
        )
        self.assertEqual(["a", "b"], [e["Id"] for e in got["Successful"]])
        self.refused("AWS.SimpleQueueService.EmptyBatchRequest", self.sqs.send_message_batch, QueueUrl=url, Entries=[])
        self.refused(
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            self.sqs.send_message_batch,
            QueueUrl=url,
            Entries=[{"Id": "a", "MessageBody": "1"}] * 2,
        )
        self.refused("InvalidParameterValue", self.sqs.send_message, QueueUrl=url, MessageBody="x" * 1025)

    def test_permissions(self):
        url = self.queue()
        producer = self.client("sqs", self.user(allow(["sqs:SendMessage", "sqs:GetQueueAttributes"], self.arn())))
        consumer = self.client("sqs", self.user(allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"], self.arn())))
        producer.send_message(QueueUrl=url, MessageBody="x")
        producer.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "1"}])
        error = self.refused("AccessDenied", producer.receive_message, QueueUrl=url, status=403)
        self.assertIn(
            f"is not authorized to perform: sqs:receivemessage on resource: {self.arn()} because no identity-based policy allows the sqs:",
            str(error),
        )
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

    def test_a_message_stays_under_the_key_and_queue_it_was_sent_with(self):
        old, new = (self.root("kms").create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        url = self.queue(KmsMasterKeyId=old, VisibilityTimeout="0")
        sqs = self.root("sqs")
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.send_message(QueueUrl=url, MessageBody="x")
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": new})
        today = self.client("sqs", self.user(allow("sqs:*", "*"), allow("kms:Decrypt", new)))
        self.refused("KmsAccessDenied", today.receive_message, QueueUrl=url)
        for context, able in ((arn, True), (f"{arn}x", False)):
            condition = {"StringLike": {"kms:EncryptionContext:aws:sqs:arn": [context]}}
            reader = self.client("sqs", self.user(allow("sqs:*", "*"), allow("kms:Decrypt", "*", Condition=condition)))
            if able:
                self.assertEqual(1, len(reader.receive_message(QueueUrl=url)["Messages"]))
            else:
                self.refused("KmsAccessDenied", reader.receive_message, QueueUrl=url)


if __name__ == "__main__":
    unittest.main()
