"""The rules of admission, on a real API server: who may have which Secret used, and whom brokers hear of."""

import json
import secrets
import unittest

# First: it says where the others are.
from support import LEAST, cluster

from clients import Client, merged, until

API = "servicecatalog.k8s.io/v1beta1"


def thing(kind, name, spec, namespace=None):
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
            "spec": spec}


def secret(name, namespace, **metadata):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace} | metadata,
            "stringData": {"k": "{}"}}


def source(name):
    return {"secretKeyRef": {"name": name, "key": "k"}}


class TestAdmission(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = Client(cluster())
        cls.kubectl = cls.client.kubectl
        cls.home, cls.here, cls.elsewhere = (f"{name}-{secrets.token_hex(3)}" for name in ("home", "here", "elsewhere"))
        for namespace in (cls.home, cls.here, cls.elsewhere):
            cls.kubectl("create", "namespace", namespace)
            cls.addClassCleanup(cls.kubectl, "delete", "namespace", namespace, "--wait=false")
        # No pods are wanted here: the rules alone.
        cls.client.helm("install", "rules", cls.home, merged(LEAST, {"broker": {"enabled": False}}), flags=["--no-hooks"])
        cls.addClassCleanup(cls.client.helm, "uninstall", "rules", cls.home)
        edit = ["create", "rolebinding", "edit", "--clusterrole=admin", "--namespace"]
        cls.kubectl(*edit, cls.here, "--user=alice")
        cls.kubectl("create", "role", "orders", "--namespace", cls.here, "--verb=*",
                    *(f"--resource={kind}.servicecatalog.k8s.io" for kind in ("serviceinstances", "servicebindings", "servicebrokers")))
        cls.kubectl("create", "rolebinding", "orders", "--namespace", cls.here, "--role=orders", "--user=bob")
        cls.kubectl("create", "clusterrole", f"brokers-{cls.here}", "--verb=*",
                    "--resource=clusterservicebrokers.servicecatalog.k8s.io")
        cls.addClassCleanup(cls.kubectl, "delete", "clusterrole", f"brokers-{cls.here}")
        cls.kubectl("create", "clusterrolebinding", f"brokers-{cls.here}", f"--clusterrole=brokers-{cls.here}",
                    "--user=alice", "--user=bob")
        cls.addClassCleanup(cls.kubectl, "delete", "clusterrolebinding", f"brokers-{cls.here}")
        cls.client.apply(*(secret(name, cls.here) for name in ("one", "two", "three")), secret("theirs", cls.elsewhere))
        until("the rules are in force", cls.in_force)

    @classmethod
    def in_force(cls):
        try:
            cls.client.apply(thing("ServiceInstance", "probe",
                                   {"clusterServiceClassExternalName": "c", "parametersFrom": [source("one")]}, cls.here),
                             user="bob", good=False)
            cls.client.apply(thing("ServiceInstance", "known", {"clusterServiceClassExternalName": "c"}, cls.here),
                             user="alice")
            return cls.client.get("serviceinstance", "known", "--namespace", cls.here)["spec"].get("userInfo")
        except AssertionError:
            cls.kubectl("delete", "serviceinstance", "--all", "--namespace", cls.here)
            return False

    def instance(self, name, **spec):
        return thing("ServiceInstance", name, {"clusterServiceClassExternalName": "c"} | spec, self.here)

    def binding(self, name, **spec):
        return thing("ServiceBinding", name, {"instanceRef": {"name": "i"}} | spec, self.here)

    def spec(self, kind, name):
        return self.client.get(kind, name, "--namespace", self.here)["spec"]

    def test_roles_of_the_cluster_let_their_users_order(self):
        # alice is admin here, by the cluster's own role.
        self.client.apply(self.instance("by-role"), user="alice")
        self.kubectl("get", "serviceplans", "--namespace", self.here, "--context=alice")
        self.kubectl("get", "clusterserviceclasses", "--context=bob")
        self.assertIn("Forbidden", self.kubectl("get", "serviceinstances", "--namespace", self.elsewhere,
                                                "--context=alice", good=False))

    def test_parameters_come_from_secrets_that_the_user_may_read(self):
        three = [source(name) for name in ("one", "two", "three", "one")]
        for kind, make in (("serviceinstance", self.instance), ("servicebinding", self.binding)):
            with self.subTest(kind):
                self.client.apply(make("from-secrets", parametersFrom=three), user="alice")
                said = self.client.apply(make("not-his", parametersFrom=[source("two")]), user="bob", good=False)
                self.assertIn(f"you may not read the Secret {self.here}/two", said)
                # Whether it is there at all makes no difference.
                said = self.client.apply(make("no-secret", parametersFrom=[source("nothing")]), user="bob", good=False)
                self.assertIn("you may not read", said)
                self.client.apply(make("without"), user="bob")
        # What does not touch the spec needs no right on the Secret.
        self.kubectl("label", "serviceinstance", "from-secrets", "a=b", "--namespace", self.here, "--context=bob")
        self.kubectl("patch", "serviceinstance", "from-secrets", "--namespace", self.here, "--context=bob", "--type=merge",
                     "--patch", '{"metadata": {"finalizers": null}}')
        said = self.kubectl("patch", "serviceinstance", "from-secrets", "--namespace", self.here, "--context=bob",
                            "--type=merge",
                            "--patch", '{"spec": {"updateRequests": 1}}', good=False)
        self.assertIn("may not read", said)

    def test_keys_come_from_secrets_of_other_namespaces_only_for_those_who_read_there(self):
        step = {"addKeysFrom": {"secretRef": {"namespace": self.elsewhere, "name": "theirs"}}}
        said = self.client.apply(self.binding("keys", secretTransforms=[step]), user="alice", good=False)
        self.assertIn(f"you may not read the Secret {self.elsewhere}/theirs", said)
        # One that may be read does not cover for one that may not.
        fine = {"addKeysFrom": {"secretRef": {"namespace": self.here, "name": "one"}}}
        said = self.client.apply(self.binding("keys", secretTransforms=[fine, {"removeKey": {"key": "x"}}, step]),
                                 user="alice", good=False)
        self.assertIn(f"{self.elsewhere}/theirs", said)
        self.client.apply(self.binding("keys", secretTransforms=[fine]), user="alice")

    def test_a_brokers_login_is_one_that_the_user_may_read(self):
        def broker(url, name="login", auth="basic", **more):
            return thing("ServiceBroker", "broker",
                         {"url": url, "authInfo": {auth: {"secretRef": {"name": name}}}} | more, self.here)

        for auth in ("basic", "bearer"):
            self.assertIn("may not read",
                          self.client.apply(broker("https://b.example", "one", auth), user="bob", good=False))
        self.client.apply(broker("https://b.example", "one"), user="alice")
        # Somebody who may change the broker but not read its login must not have it sent elsewhere.
        moved = self.kubectl("patch", "servicebroker", "broker", "--namespace", self.here, "--context=bob", "--type=merge",
                             "--patch", '{"spec": {"url": "https://evil.example"}}', good=False)
        self.assertIn(f"{self.here}/one", moved)
        cluster_broker = thing("ClusterServiceBroker", f"broker-{self.here}", {"url": "https://b.example", "authInfo": {
            "basic": {"secretRef": {"namespace": self.elsewhere, "name": "theirs"}}}})
        self.assertIn(f"{self.elsewhere}/theirs", self.client.apply(cluster_broker, user="alice", good=False))
        self.client.apply(cluster_broker)
        self.addCleanup(self.kubectl, "delete", "clusterservicebroker", f"broker-{self.here}")

    def test_many_secrets_at_once(self):
        # An expression may look at two; the rule has one for each.
        names = [f"many-{number}" for number in range(16)]
        self.client.apply(self.instance("many", parametersFrom=[source(name) for name in names]), user="alice")
        said = self.client.apply(self.instance("more", parametersFrom=[source(name) for name in [*names, "one-more"]]),
                                 user="alice", good=False)
        self.assertIn("more than 16 Secrets", said)
        # The last one is looked at, too.
        step = {"addKeysFrom": {"secretRef": {"namespace": self.elsewhere, "name": "theirs"}}}
        said = self.client.apply(self.binding("last", parametersFrom=[source(name) for name in names[:15]],
                                              secretTransforms=[step]), user="alice", good=False)
        self.assertIn(f"{self.elsewhere}/theirs", said)

    def test_the_cluster_says_who_orders(self):
        self.client.apply(self.instance("ordered", parameters={"deep": [1, {"x": None}]},
                                        userInfo={"username": "system:admin"}), user="alice")
        user = self.spec("serviceinstance", "ordered")["userInfo"]
        self.assertEqual((user["username"], user["groups"]), ("alice", ["system:authenticated"]))

        def patched(patch, who):
            self.kubectl("patch", "serviceinstance", "ordered", "--namespace", self.here, "--type=merge", "--patch",
                         json.dumps(patch), "--context", who)
            return self.spec("serviceinstance", "ordered").get("userInfo", {}).get("username")

        # What is no order does not change who ordered; nobody sets it, and what a client leaves out stays.
        self.assertEqual(patched({"metadata": {"labels": {"a": "b"}}}, "bob"), "alice")
        self.assertEqual(patched({"spec": {"userInfo": {"username": "root"}}}, "bob"), "alice")
        self.assertEqual(patched({"spec": {"userInfo": None}}, "bob"), "alice")
        self.assertEqual(patched({"spec": {"updateRequests": 1}}, "bob"), "bob")
        # A binding is ordered once.
        self.client.apply(self.binding("bound"), user="alice")
        self.kubectl("patch", "servicebinding", "bound", "--namespace", self.here, "--type=merge", "--patch",
                     '{"spec": {"externalID": "x"}}', "--context=bob")
        self.assertEqual(self.spec("servicebinding", "bound")["userInfo"]["username"], "alice")

    def test_the_controller_orders_nothing(self):
        """Its own entries in a spec leave the user there."""
        self.client.apply(self.instance("resolved"), user="alice")
        controller = ["--as", f"system:serviceaccount:{self.home}:rules-chandlery-controller"]
        self.kubectl("patch", "serviceinstance", "resolved", "--namespace", self.here, "--type=merge",
                     "--patch", '{"spec": {"clusterServiceClassRef": {"name": "c"}}}', *controller)
        self.assertEqual(self.spec("serviceinstance", "resolved")["userInfo"]["username"], "alice")

    def test_the_controller_writes_secrets_of_bindings_and_no_others(self):
        self.client.apply(self.binding("owner"), user="alice")
        uid = self.client.get("servicebinding", "owner", "--namespace", self.here)["metadata"]["uid"]
        owner = {"apiVersion": API, "kind": "ServiceBinding", "name": "owner", "uid": uid, "controller": True,
                 "blockOwnerDeletion": True}
        controller = ["--as", f"system:serviceaccount:{self.home}:rules-chandlery-controller"]

        def apply(one, good=True):
            return self.kubectl("apply", "--server-side", "--field-manager=chandlery-controller", "--filename", "-",
                                *controller, given=json.dumps(one), good=good)

        apply(secret("credentials", self.here, ownerReferences=[owner]))
        self.kubectl("delete", "secret", "credentials", "--namespace", self.here, *controller)
        no_others = "writes Secrets of bindings, and no others"
        self.assertIn(no_others, apply(secret("free", self.here), good=False))
        # Neither can it take one over, nor delete it.
        self.assertIn(no_others, apply(secret("one", self.here, ownerReferences=[owner]), good=False))
        self.assertIn(no_others, self.kubectl("delete", "secret", "one", "--namespace", self.here, *controller, good=False))
        self.kubectl("get", "secret", "one", "--namespace", self.here, *controller)


if __name__ == "__main__":
    unittest.main()
