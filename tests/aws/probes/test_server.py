"""The server itself: HTTP, start and stop, accounts, inventory, many at once."""

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

from support import HERE, REGION, Probe, allow, control, server, start


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
            raw.sendall(
                f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n".encode()
            )
            self.assertTrue(raw.recv(100).startswith(b"HTTP/1.1 100 Continue"))
            raw.sendall(b'{"rules":[]}')
            self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 200 OK"))
            raw.sendall(
                f"PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
            )
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
        code = (
            "import subprocess,sys,time; p=subprocess.Popen([sys.executable,'-m','standin'],stdout=subprocess.PIPE,text=True);"
            "print(p.stdout.readline(),flush=True); time.sleep(60)"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": HERE},
        )
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
        self.assertEqual(
            {"buckets": [], "queues": [], "users": [], "roles": [], "policies": [], "kms_keys": []}, self.inventory()
        )
        self.refused("InvalidClientTokenId", self.client("sts", keys).get_caller_identity)
        self.root("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def test_accounts_and_regions_are_apart(self):
        self.root("sqs").create_queue(QueueName="q")
        self.refused(
            "AWS.SimpleQueueService.NonExistentQueue",
            self.client("sqs", self.admin(), region="us-west-2").get_queue_url,
            QueueName="q",
        )
        self.refused(
            "AWS.SimpleQueueService.NonExistentQueue",
            self.client("sqs", self.admin("999999999999")).get_queue_url,
            QueueName="q",
        )

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
        self.assertEqual(
            [{"name": name, "region": REGION, "tags": {}, "objects": 1, "versions": 1, "uploads": 1}], found["buckets"]
        )
        self.assertEqual((url, {"a": "b"}, REGION), tuple(found["queues"][0][k] for k in ("url", "tags", "region")))
        user = found["users"][0]
        self.assertEqual(
            ("/team/", [keys.key], ["inline"], None, {"t": "v"}),
            tuple(user[k] for k in ("path", "access_keys", "policies", "boundary", "tags")),
        )
        calls = self.calls()
        self.assertEqual(1, calls["counts"]["s3:PutObject"])
        self.assertEqual(calls["total"], len(calls["calls"]))
        self.assertEqual(
            {
                "service": "s3",
                "operation": "CreateBucket",
                "principal": f"arn:aws:iam::{self.account}:root",
                "status": 200,
            },
            calls["calls"][0],
        )
        self.assertGreaterEqual(control("GET", "calls")["total"], calls["total"])
        control("DELETE", f"accounts/{self.account}/calls")
        self.assertEqual({"total": 0, "counts": {}, "calls": []}, self.calls())


class Crowd(Probe):
    def test_eight_at_once(self):
        failures = []

        def work(number):
            try:
                import boto3
                from botocore.config import Config
                from support import Keys

                options = dict(
                    endpoint_url=server()["endpoint"],
                    region_name=REGION,
                    aws_access_key_id=Keys(f"AKIA{self.account}ROOT").key,
                    aws_secret_access_key="x",
                    config=Config(retries={"total_max_attempts": 1}),
                )
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
