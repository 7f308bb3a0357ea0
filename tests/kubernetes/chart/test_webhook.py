"""Who orders, where the API server does not write it down by itself: the controller's webhook, asked by a real one."""

import base64
import datetime
import ipaddress
import json
import secrets
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

# First: it says where the others are.
from support import cluster

import postgres
from clients import Client, until
from controllers import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate():
    """A certificate for this machine that vouches for itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1)).add_extension(names, False)
            .add_extension(x509.BasicConstraints(True, 0), True).sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    return made.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class TestWebhook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = Client(cluster())
        cls.kubectl = cls.client.kubectl
        end = secrets.token_hex(3)
        cls.home, cls.here = f"webhook-{end}", f"orders-{end}"
        for namespace in (cls.home, cls.here):
            cls.kubectl("create", "namespace", namespace)
            cls.addClassCleanup(cls.kubectl, "delete", "namespace", namespace, "--wait=false")
        values = {"broker": {"enabled": False}, "admission": {"identity": "webhook"}}
        cls.client.helm("install", "hooked", cls.home, values, flags=["--no-hooks"])
        cls.addClassCleanup(cls.client.helm, "uninstall", "hooked", cls.home)
        for user in ("alice", "bob"):
            cls.kubectl("create", "rolebinding", user, "--clusterrole=admin", f"--user={user}", "--namespace", cls.here)
        # Nothing here leads to a Service: the API server is told where the process listens.
        pair, key = certificate()
        folder = Path(cls.enterClassContext(TemporaryDirectory()))
        (folder / "tls.crt").write_bytes(pair)
        (folder / "tls.key").write_bytes(key)
        address = f"127.0.0.1:{postgres.free_port()}"
        told = {"url": f"https://{address}/identity", "caBundle": base64.b64encode(pair).decode()}
        patch = [{"op": "replace", "path": "/webhooks/0/clientConfig", "value": told}]
        cls.kubectl("patch", "mutatingwebhookconfiguration", cls.configuration(), "--type=json", "--patch", json.dumps(patch))
        cls.controller = cls.enterClassContext(Controller(
            cls.client, cls.home, CHANDLERY_WEBHOOK_LISTEN=address, CHANDLERY_WEBHOOK_CERT=str(folder / "tls.crt"),
            CHANDLERY_WEBHOOK_KEY=str(folder / "tls.key")))
        until("the webhook answers", lambda: cls.order("probe", "alice", good=None) and cls.user("probe") == "alice")

    @classmethod
    def configuration(cls):
        found = [one["metadata"]["name"] for one in cls.client.get("mutatingwebhookconfigurations")["items"]]
        return next(name for name in found if "hooked" in name)

    @classmethod
    def order(cls, name, user, good=True, **spec):
        instance = {"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance",
                    "metadata": {"name": name, "namespace": cls.here},
                    "spec": {"clusterServiceClassExternalName": "c"} | spec}
        if good is not None:
            return cls.client.apply(instance, user=user, good=good)
        try:
            return cls.client.apply(instance, user=user)
        except AssertionError:
            return None

    @classmethod
    def user(cls, name):
        spec = cls.client.get("serviceinstance", name, "--namespace", cls.here)["spec"]
        return spec.get("userInfo", {}).get("username")

    def patch(self, name, change, user, good=True):
        return self.kubectl("patch", "serviceinstance", name, "--namespace", self.here, "--context", user, "--type=merge",
                            "--patch", json.dumps(change), good=good)

    def test_who_orders_is_written_down_and_nothing_else_waits_for_the_controller(self):
        # In somebody else's name, and it is their own.
        self.order("mine", "alice", userInfo={"username": "bob", "uid": "", "groups": []})
        self.assertEqual(self.user("mine"), "alice")
        self.patch("mine", {"metadata": {"labels": {"a": "b"}}}, "bob")
        self.assertEqual(self.user("mine"), "alice")
        self.patch("mine", {"spec": {"parameters": {"size": 1}}}, "bob")
        self.assertEqual(self.user("mine"), "bob")
        # What the controller says of it is in nobody's name.
        until("the controller has looked", lambda: self.client.get(
            "serviceinstance", "mine", "--namespace", self.here).get("status", {}).get("conditions"))
        self.assertEqual(self.user("mine"), "bob")
        self.controller.stop()
        self.assertIn("webhook", self.order("later", "alice", good=False))
        self.assertIn("webhook", self.patch("mine", {"spec": {"updateRequests": 1}}, "bob", good=False))
        self.patch("mine", {"metadata": {"finalizers": None}}, "bob")
        self.kubectl("delete", "serviceinstance", "mine", "--namespace", self.here, "--context", "bob", "--timeout=30s")
