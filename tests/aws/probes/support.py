"""One server for all probes, a fresh account for each, and clients for whoever is to call.

Run them all: python -m unittest discover -s tests/aws/probes
"""

import atexit
import json
import os
import random
import subprocess
import sys
import unittest
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REGION = "eu-west-1"
_server = {}


def start(*arguments, **options):
    """(process, its ready line)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "standin", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": HERE},
        **options,
    )
    return process, json.loads(process.stdout.readline())


def server():
    if not _server:
        process, ready = start()
        _server.update(ready)
        atexit.register(lambda: (process.terminate(), process.wait(), process.stdout.close()))
    return _server


def control(method, path, body=None):
    request = urllib.request.Request(
        server()["endpoint"] + "/_standin/" + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


class Keys:
    def __init__(self, key, secret="any", token=None):
        self.key, self.secret, self.token = key, secret, token


class Probe(unittest.TestCase):
    """A fresh account per test; `self.root(service)` is its administrator's client."""

    @classmethod
    def setUpClass(cls):
        server()

    def setUp(self):
        self.account = f"{random.randrange(10**11, 10**12)}"
        self._clients = {}

    def tearDown(self):
        control("DELETE", f"accounts/{self.account}")
        for client in self._clients.values():
            client.close()

    def root(self, service, **options):
        return self.client(service, Keys(f"AKIA{self.account}ROOT"), **options)

    def client(self, service, keys, region=REGION, insecure=False, **options):
        name = (service, keys.key, keys.secret, keys.token, region, insecure, repr(options))
        if name not in self._clients:
            self._clients[name] = boto3.client(
                service,
                endpoint_url=server()["insecure_endpoint" if insecure else "endpoint"],
                region_name=region,
                aws_access_key_id=keys.key,
                aws_secret_access_key=keys.secret,
                aws_session_token=keys.token,
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, **options),
            )
        return self._clients[name]

    def name(self, prefix="probe"):
        return f"{prefix}-{random.randrange(10**12):012d}"

    def bucket(self, client=None, **options):
        name = self.name()
        (client or self.root("s3")).create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, **options
        )
        return name

    def user(self, *statements, name=None, version="2012-10-17", **options):
        """A new user with these statements as its inline policy; its keys."""
        name = name or self.name("user")
        iam = self.root("iam")
        iam.create_user(UserName=name, **options)
        if statements:
            iam.put_user_policy(
                UserName=name, PolicyName="inline", PolicyDocument=document(*statements, version=version)
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made = Keys(key["AccessKeyId"], key["SecretAccessKey"])
        made.name = name
        return made

    def refused(self, code, function, *arguments, status=None, **options):
        """The call must fail with this code; gives the error."""
        with self.assertRaises(ClientError) as caught:
            function(*arguments, **options)
        error = caught.exception
        self.assertEqual(code, error.response["Error"]["Code"], error)
        if status is not None:
            self.assertEqual(status, error.response["ResponseMetadata"]["HTTPStatusCode"])
        return error

    def faults(self, *rules):
        control("PUT", f"accounts/{self.account}/faults", {"rules": list(rules)})

    def calls(self):
        return control("GET", f"accounts/{self.account}/calls")

    def inventory(self):
        return control("GET", f"accounts/{self.account}/inventory")


def document(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(actions, resources, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions, resources, **more):
    return {"Effect": "Deny", "Action": actions, "Resource": resources, **more}
