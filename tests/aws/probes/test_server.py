"""The server itself: HTTP, start and stop, faults, counts, inventory, visibility, loud gaps."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.parse

from botocore.exceptions import ClientError, HTTPClientError

from support import HERE, REGION, Probe, allow, control, document, server, start


class Http(Probe):
    def raw(self):
        return http.client.HTTPConnection(urllib.parse.urlparse(server()["endpoint"]).netloc)

    def test_connections_are_kept(self):
        connection = self.raw()
        for _ in range(3):
            connection.request("GET", "/_standin/health")
            answer = connection.getresponse()
            self.assertEqual((11, {"ok": True}), (answer.version, json.loads(answer.read())))
            used = connection.sock
        self.assertIs(used, connection.sock)
        connection.close()

    def test_expect_continue_chunked_bodies_and_close(self):
        where = urllib.parse.urlparse(server()["endpoint"])
        path = f"/_standin/accounts/{self.account}/faults"
        with socket.create_connection((where.hostname, where.port)) as raw:
            raw.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n".encode())
            self.assertTrue(raw.recv(100).startswith(b"HTTP/1.1 100 Continue"))
            raw.sendall(b'{"rules":[]}')
            self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 200 OK"))
            raw.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
            raw.sendall(b'5\r\n{"rul\r\n7\r\nes":[]}\r\n0\r\n\r\n')
            self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 200 OK"))
            self.assertEqual(b"", raw.recv(10))

    def test_only_this_machine_and_two_endpoints(self):
        self.assertTrue(server()["endpoint"].startswith("http://127.0.0.1:"))
        self.assertNotEqual(server()["endpoint"], server()["insecure_endpoint"])

    def test_big_bodies(self):
        s3, name = self.root("s3"), self.bucket()
        body = os.urandom(8 << 20)
        s3.put_object(Bucket=name, Key="big", Body=body)
        self.assertEqual(body, s3.get_object(Bucket=name, Key="big")["Body"].read())


class Life(unittest.TestCase):
    def test_stops_at_once_on_sigterm_and_with_its_standard_input(self):
        for how in ("term", "stdin"):
            process, ready = start(*(["--with-stdin"] if how == "stdin" else []), stdin=subprocess.PIPE)
            self.assertEqual(process.pid, ready["pid"])
            began = time.time()
            process.terminate() if how == "term" else process.stdin.close()
            process.wait(3)
            self.assertLess(time.time() - began, 1)
            process.stdout.close()
            if how == "term":
                process.stdin.close()

    def test_stops_when_its_parent_dies(self):
        code = ("import subprocess,sys,time; p=subprocess.Popen([sys.executable,'-m','standin'],stdout=subprocess.PIPE,text=True);"
                "print(p.stdout.readline(),flush=True); time.sleep(60)")
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": HERE})
        ready = json.loads(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
        for _ in range(40):
            try:
                os.kill(ready["pid"], 0)
            except ProcessLookupError:
                return
            with open(f"/proc/{ready['pid']}/stat") as stat:
                if stat.read().split()[2] == "Z":
                    return
            time.sleep(0.1)
        self.fail("it lives on")


class Accounts(Probe):
    def test_keys_and_accounts(self):
        self.assertEqual(f"arn:aws:iam::{self.account}:root", self.root("sts").get_caller_identity()["Arn"])
        from support import Keys
        self.assertEqual("123456789012", self.client("sts", Keys("test")).get_caller_identity()["Account"])
        for made_up in ("AKIAABCDEFGHIJKLMNOP", "ASIAABCDEFGHIJKLMNOP"):
            self.refused("InvalidClientTokenId", self.client("sts", Keys(made_up)).get_caller_identity, status=403)
            self.refused("InvalidAccessKeyId", self.client("s3", Keys(made_up)).list_buckets, status=403)
            self.refused("InvalidClientTokenId", self.client("sqs", Keys(made_up)).list_queues, status=403)
            self.refused("UnrecognizedClientException", self.client("kms", Keys(made_up)).list_keys)

    def test_an_account_is_forgotten(self):
        name = self.bucket()
        keys = self.user()
        self.root("sqs").create_queue(QueueName="q")
        control("DELETE", f"accounts/{self.account}")
        self.assertEqual({"buckets": [], "queues": [], "users": [], "roles": [], "policies": [], "kms_keys": []}, self.inventory())
        self.refused("InvalidClientTokenId", self.client("sts", keys).get_caller_identity)
        self.root("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def test_accounts_and_regions_are_apart(self):
        self.root("sqs").create_queue(QueueName="q")
        self.refused("AWS.SimpleQueueService.NonExistentQueue", self.client("sqs", self.admin(), region="us-west-2").get_queue_url, QueueName="q")
        self.refused("AWS.SimpleQueueService.NonExistentQueue", self.client("sqs", self.admin("999999999999")).get_queue_url, QueueName="q")

    def admin(self, account=None):
        from support import Keys
        return Keys(f"AKIA{account or self.account}ROOT")

    def test_inventory_and_counts(self):
        name = self.bucket()
        self.root("s3").put_object(Bucket=name, Key="k", Body=b"x")
        self.root("s3").create_multipart_upload(Bucket=name, Key="m")
        url = self.root("sqs").create_queue(QueueName="q", tags={"a": "b"})["QueueUrl"]
        keys = self.user(allow("s3:*", "*"), Path="/team/", Tags=[{"Key": "t", "Value": "v"}])
        found = self.inventory()
        self.assertEqual([{"name": name, "region": REGION, "tags": {}, "objects": 1, "versions": 1, "uploads": 1}], found["buckets"])
        self.assertEqual((url, {"a": "b"}, REGION), tuple(found["queues"][0][k] for k in ("url", "tags", "region")))
        user = found["users"][0]
        self.assertEqual(("/team/", [keys.key], ["inline"], None, {"t": "v"}), tuple(user[k] for k in ("path", "access_keys", "policies", "boundary", "tags")))
        calls = self.calls()
        self.assertEqual(1, calls["counts"]["s3:PutObject"])
        self.assertEqual(calls["total"], len(calls["calls"]))
        self.assertEqual({"service": "s3", "operation": "CreateBucket", "principal": f"arn:aws:iam::{self.account}:root", "status": 200}, calls["calls"][0])
        self.assertGreaterEqual(control("GET", "calls")["total"], calls["total"])
        control("DELETE", f"accounts/{self.account}/calls")
        self.assertEqual({"total": 0, "counts": {}, "calls": []}, self.calls())


class Faults(Probe):
    def test_errors_have_the_form_of_their_protocol(self):
        self.faults({"mode": "error", "code": "Mine", "message": "<&>", "status": 418, "times": None})
        for call in (self.root("s3").list_buckets, self.root("sqs").list_queues, self.root("iam").list_users, self.root("sts").get_caller_identity,
                     self.root("kms").list_keys):
            error = self.refused("Mine", call, status=418)
            self.assertEqual("<&>", error.response["Error"]["Message"])
        with self.assertRaises(ClientError) as caught:
            self.root("s3").head_bucket(Bucket="b")
        self.assertEqual("418", caught.exception.response["Error"]["Code"])

    def test_throttling_is_the_service_s_own(self):
        self.faults({"mode": "throttle", "times": None, "retry_after": 7})
        self.assertEqual("7", self.refused("SlowDown", self.root("s3").list_buckets, status=503).response["ResponseMetadata"]["HTTPHeaders"]["retry-after"])
        self.refused("Throttling", self.root("iam").list_users, status=400)
        self.refused("RequestThrottled", self.root("sqs").list_queues, status=400)
        self.refused("ThrottlingException", self.root("kms").list_keys, status=400)

    def test_skip_times_and_names(self):
        self.faults({"service": "s3", "operation": "ListBuckets", "skip": 1, "times": 2, "mode": "error", "code": "Mine"})
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
        self.refused("StandInNotImplemented", s3.list_bucket_intelligent_tiering_configurations, Bucket=name, status=501)
        self.refused("StandInNotImplemented", s3.put_bucket_notification_configuration, Bucket=name, status=501, NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:{REGION}:{self.account}:q", "Events": ["s3:ObjectCreated:*"]}]})
        self.refused("StandInNotImplemented", self.root("iam").generate_service_last_accessed_details, Arn="arn:aws:iam::1:user/x" * 2, status=501)
        self.refused("StandInNotImplemented", self.root("kms").connect_custom_key_store, CustomKeyStoreId="cks-12345", status=501)
        url = self.root("sqs").create_queue(QueueName="q")["QueueUrl"]
        self.refused("StandInNotImplemented", self.root("sqs").remove_permission, QueueUrl=url, Label="x", status=501)
        self.refused("StandInNotImplemented", self.root("iam").attach_user_policy, UserName=self.user().name, status=501,
                     PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
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
        self.root("iam").put_user_policy(UserName=keys.name, PolicyName="p", PolicyDocument=document(allow("s3:ListAllMyBuckets", "*")))
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
        policy = document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.account}:user/new"}, "Action": "s3:GetObject",
                           "Resource": f"arn:aws:s3:::{bucket}/*"})
        self.refused("MalformedPolicy", self.root("s3").put_bucket_policy, Bucket=bucket, Policy=policy)
        time.sleep(0.45)
        self.root("s3").head_bucket(Bucket=later)
        self.root("sqs").get_queue_attributes(QueueUrl=url)
        self.root("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


class Crowd(Probe):
    def test_eight_at_once(self):
        failures = []

        def work(number):
            try:
                from support import Keys
                import boto3
                from botocore.config import Config
                options = dict(endpoint_url=server()["endpoint"], region_name=REGION, aws_access_key_id=Keys(f"AKIA{self.account}ROOT").key,
                               aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}))
                s3, iam = boto3.client("s3", **options), boto3.client("iam", **options)
                for i in range(6):
                    name = f"crowd-{self.account}-{number}-{i}"
                    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
                    s3.put_object(Bucket=name, Key="k", Body=name.encode())
                    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == name.encode()
                    iam.create_user(UserName=name)
                    iam.create_access_key(UserName=name)
                s3.close(), iam.close()
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        found = self.inventory()
        self.assertEqual((48, 48), (len(found["buckets"]), sum(len(u["access_keys"]) for u in found["users"])))


if __name__ == "__main__":
    unittest.main()
