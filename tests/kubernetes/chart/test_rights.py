"""Users with ordinary rights do all that svcat can, with a controller that has the rights of the chart. Those are enough,
and each of them is used: what the API server was asked is in its audit log."""

import contextlib
import json
import os
import secrets
import unittest
from tempfile import TemporaryDirectory

# First: it says where the others are.
from support import cluster

from clients import Client, run, until
from controllers import Controller
from session_broker import SessionBroker

GROUP = "servicecatalog.k8s.io"
# Used without a request: the API server asks whether who sets blockOwnerDeletion may update the owner's finalizers.
WITHOUT_REQUESTS = "finalizers"
# Read again where a status was to be written and the object had changed meanwhile.
RACES = {(kind, "get") for kind in ("serviceclasses", "serviceplans", "clusterserviceclasses", "clusterserviceplans")}


class TestRights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = Client(cluster())
        cls.kubectl = cls.client.kubectl
        end = secrets.token_hex(3)
        cls.home, cls.here = f"rights-{end}", f"team-{end}"
        for namespace in (cls.home, cls.here):
            cls.kubectl("create", "namespace", namespace)
            cls.addClassCleanup(cls.kubectl, "delete", "namespace", namespace, "--wait=false")
        cls.values = {"broker": {"enabled": False}, "controller": {
            "allowLocalBrokers": True,
            "settings": {"CHANDLERY_CATALOG_CHECK": "1s", "CHANDLERY_RETRY_FIRST": "200ms", "CHANDLERY_RETRY_MOST": "1s",
                         "CHANDLERY_LEASE_DURATION": "3s"}}}
        cls.client.helm("install", "rights", cls.home, cls.values, flags=["--no-hooks"])
        cls.addClassCleanup(cls.client.helm, "uninstall", "rights", cls.home)
        # bob has what a namespace's administrator has; alice may look at other namespaces, too, and sees to brokers.
        for user in ("alice", "bob"):
            cls.kubectl("create", "rolebinding", user, "--clusterrole=admin", f"--user={user}", "--namespace", cls.here)
        cls.made("clusterrole", f"brokers-{end}", "--verb=*", f"--resource=clusterservicebrokers.{GROUP}")
        cls.made("clusterrolebinding", f"brokers-{end}", f"--clusterrole=brokers-{end}", "--user=alice")
        cls.made("clusterrolebinding", f"view-{end}", "--clusterrole=view", "--user=alice")
        cls.broker = cls.enterClassContext(SessionBroker())
        cls.controller = cls.enterClassContext(Controller(cls.client, cls.home))
        cls.folder = cls.enterClassContext(TemporaryDirectory())

    @classmethod
    def made(cls, kind, name, *words):
        cls.kubectl("create", kind, name, *words)
        cls.addClassCleanup(cls.kubectl, "delete", kind, name, "--ignore-not-found")

    def setUp(self):
        self.addCleanup(lambda: self._outcome.success or print(self.controller.said()[-8000:]))

    def svcat(self, *words, user="alice", good=True):
        place = () if "--scope=cluster" in words or "--all-namespaces" in words else ("--namespace", self.here)
        return self.client.run("svcat", *words, *place, "--context", user, good=good, timeout=60)

    def ready(self, kind, name, namespace=None):
        place = ("--namespace", namespace) if namespace else ()

        def holds():
            status = self.client.get(kind, name, *place).get("status", {})
            conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
            return conditions.get("Ready") == "True" and not status.get("currentOperation")

        until(f"{kind} {name} is ready", holds)

    def test_all_of_svcat_with_ordinary_rights_and_no_right_too_many(self):
        for step in (self.brokers, self.catalog, self.instances, self.bindings, self.faults, self.ending):
            step()
        self.assertEqual(self.refused(), set())
        # What is written aside comes a moment later.
        with contextlib.suppress(AssertionError):
            until("nothing that is granted is unused", lambda: not self.unused(), seconds=10)
        self.assertEqual(self.unused(), set())

    def brokers(self):
        for words in (("version",), ("version", "--client"), ("completion", "bash"),
                      ("install", "plugin", "--plugins-path", self.folder)):
            run(str(cluster().bin / "svcat"), *words, "--kubeconfig", cluster().kubeconfig,
                environment=self.client.environment)
        self.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "basic", "namespace": self.here},
                           "stringData": {"username": "u", "password": "p"}},
                          {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bearer", "namespace": self.here},
                           "stringData": {"token": "t"}}, user="alice")
        url = ("--url", self.broker.url)
        self.svcat("register", "wide", *url, "--scope", "cluster", "--namespace", self.here, "--basic-secret", "basic",
                   "--relist-behavior", "duration", "--relist-duration", "10m", "--skip-tls", "--wait", "--interval", "200ms",
                   "--class-restrictions", "spec.externalName in (db, other)", "--plan-restrictions", "spec.externalName!=later")
        authority = os.path.join(self.folder, "ca.pem")
        with open(authority, "w") as file:
            file.write((cluster().directory / "apiserver.crt").read_text())
        self.svcat("register", "narrow", *url, "--bearer-secret", "bearer", "--relist-behavior", "manual", "--ca", authority,
                   "--class-restrictions", "spec.externalName=queue")
        self.ready("servicebroker", "narrow", self.here)
        # Whoever may not see to the cluster's brokers cannot.
        self.assertIn("forbidden", self.svcat("register", "no", *url, "--scope=cluster", user="bob", good=False).lower())
        self.svcat("sync", "broker", "wide", "--scope=cluster")
        self.svcat("sync", "broker", "narrow", user="bob")
        for words in (("get", "brokers"), ("get", "brokers", "-o", "json"), ("get", "brokers", "-o", "yaml", "--all-namespaces"),
                      ("get", "broker", "wide", "--scope=cluster"), ("describe", "broker", "wide", "--scope=cluster"),
                      ("describe", "broker", "narrow", "--scope", "namespace")):
            self.assertRegex(self.svcat(*words), "wide|narrow")
        self.ready("clusterservicebroker", "wide")

    def catalog(self):
        self.assertIn("db", self.svcat("marketplace", user="bob"))
        self.svcat("marketplace", "--all-namespaces")
        for words in (("get", "classes"), ("get", "classes", "-o", "yaml"), ("get", "classes", "--broker", "wide"),
                      ("get", "class", "db", "--scope=cluster"), ("get", "class", "db-id", "--kube-name", "--scope=cluster"),
                      ("describe", "class", "db", "--scope=cluster"), ("describe", "class", "db-id", "-k", "--scope=cluster")):
            self.assertIn("db", self.svcat(*words))
        for words in (("get", "plans"), ("get", "plans", "-o", "json"), ("get", "plans", "--class", "db"),
                      ("get", "plan", "small", "--scope=cluster"), ("get", "plan", "db/small", "--scope=cluster"),
                      ("get", "plan", "small-id", "-k", "--scope=cluster")):
            self.assertIn("small", self.svcat(*words))
        shown = self.svcat("describe", "plan", "db/small", "--scope=cluster")
        self.assertIn("Instance Create Parameter Schema", shown)
        self.svcat("describe", "plan", "small-id", "-k", "--scope=cluster", "--show-schemas=false")
        # svcat looks through all namespaces for these, which takes the right to.
        for words in (("describe", "class", "queue", "--scope", "namespace"),
                      ("describe", "plan", "queue/only", "--scope", "namespace")):
            self.assertIn("forbidden", self.svcat(*words, user="bob", good=False).lower())
        self.svcat("create", "class", "mine", "--from", "queue", "--scope", "namespace")
        until("it has its labels", lambda: "mine" in self.svcat("get", "class", "mine", "--scope", "namespace"))

    def instances(self):
        self.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "more", "namespace": self.here},
                           "stringData": {"json": '{"token": "sesame"}'}}, user="bob")
        by_id = ("--class", "db-id", "--plan", "small-id", "-k")
        self.svcat("provision", "one", *by_id, "--external-id", "my-own-id", "-p", "size=2", "--secret", "more[json]",
                   "--wait", "--interval", "200ms", user="bob")
        self.assertTrue(self.broker.requests("PUT", "/v2/service_instances/my-own-id"))
        self.svcat("provision", "two", "--class", "queue", "--plan", "only", "--params-json", '{"a": {"b": 1}}',
                   "--wait", "--interval", "200ms", user="bob")
        self.svcat("provision", "gone", *by_id, "--wait", "--interval", "200ms", user="bob")
        for words in (("get", "instances"), ("get", "instance", "one", "-o", "yaml"), ("get", "instances", "--plan", "small-id"),
                      ("get", "instances", "--class", "db-id"), ("describe", "instance", "one")):
            self.assertIn("one", self.svcat(*words, user="bob"))
        self.assertIn("one", self.svcat("get", "instances", "--all-namespaces"))
        self.svcat("touch", "instance", "one", user="bob")
        until("it is touched", lambda: self.broker.requests("PATCH", "my-own-id"))
        self.ready("serviceinstance", "one", self.here)

    def bindings(self):
        self.svcat("bind", "one", "--name", "key", "--secret-name", "key-secret", "--external-id", "key-id",
                   "--params-json", '{"role": "reader"}', "--secret", "more[json]", "--wait", "--interval", "200ms", user="bob")
        self.svcat("bind", "one", "-p", "a=b", "--wait", "--interval", "200ms", user="bob")
        self.svcat("bind", "one", "--name", "left", "--wait", "--interval", "200ms", user="bob")
        for words in (("get", "bindings"), ("get", "binding", "key", "-o", "json"), ("get", "bindings", "-o", "yaml")):
            self.assertIn("key", self.svcat(*words, user="bob"))
        self.assertIn("hunter2", self.svcat("describe", "binding", "key", "--show-secrets", user="bob"))
        self.assertIn("key", self.svcat("get", "bindings", "--all-namespaces"))
        # A Secret that is edited is mended.
        self.kubectl("patch", "secret", "key-secret", "--namespace", self.here, "--patch", '{"stringData": {"password": "x"}}')
        until("it is mended", lambda: "hunter2" in self.svcat("describe", "binding", "key", "--show-secrets"))

    def faults(self):
        """What is written when something fails, and fails again."""
        self.broker.down = True
        self.svcat("touch", "instance", "one", user="bob")
        until("the broker is tried", lambda: len(self.broker.requests("PATCH", "my-own-id")) > 4, seconds=60)
        self.broker.down = False
        self.ready("serviceinstance", "one", self.here)
        # What is offered in other words is described so; what is not offered any more is called deprecated while it is used.
        self.broker.offers([{**one, "description": "In other words.", "plans": [
            {**plan, "description": "In other words."} for plan in one["plans"]]} for one in self.broker.services])
        self.svcat("sync", "broker", "narrow", user="bob")
        for words in (("class", "db", "--scope=cluster"), ("plan", "small-id", "-k", "--scope=cluster"),
                      ("class", "queue", "--scope", "namespace"), ("plan", "queue/only", "--scope", "namespace")):
            until(f"{words} has other words", lambda: "In other words." in self.svcat("describe", *words))
        self.broker.offers([])
        self.svcat("sync", "broker", "narrow", user="bob")
        for words in (("class", "db-id", "-k", "--scope=cluster"), ("plan", "small-id", "-k", "--scope=cluster"),
                      ("class", "queue", "--scope", "namespace"), ("plan", "queue/only", "--scope", "namespace")):
            until(f"{words} is deprecated", lambda: "Deprecated" in self.svcat("describe", *words))

    def ending(self):
        self.svcat("unbind", "--name", "left", "--abandon", "-y", user="bob")
        self.svcat("unbind", "--name", "key", "--wait", "--interval", "200ms", user="bob")
        # svcat fails over a binding of the instance that goes between its list and its deletion.
        until("it is gone", lambda: "key" not in self.names("servicebindings"))
        self.svcat("unbind", "one", "--wait", "--interval", "200ms", user="bob")
        self.svcat("deprovision", "gone", "--abandon", "-y", user="bob")
        self.svcat("deprovision", "two", "-y", user="bob")
        self.svcat("bind", "one", "--name", "last", "--wait", "--interval", "200ms", user="bob")
        # Its binding goes with it.
        self.svcat("deprovision", "one", "-y", "--wait", "--interval", "200ms", user="bob")
        self.svcat("deregister", "narrow", user="bob")
        self.svcat("deregister", "wide", "--scope=cluster")
        # Another test may have left one of its own.
        until("the broker is gone", lambda: "wide" not in [one["metadata"]["name"] for one in
                                                           self.client.get("clusterservicebrokers")["items"]], seconds=120)
        until("and the other", lambda: not self.names("servicebrokers"))
        identities = {one[2] for one in self.broker.heard}
        self.assertTrue(identities)

    def names(self, kind):
        return [one["metadata"]["name"] for one in self.client.get(kind, "--namespace", self.here)["items"]]

    def audited(self):
        """What the controller asked: (decision, group, resource, verb)."""
        asked = set()
        for line in (cluster().directory / "audit.log").read_text().splitlines():
            event = json.loads(line)
            if event["user"]["username"] != self.controller.account or "objectRef" not in event:
                continue
            at = event["objectRef"]
            resource = "/".join(part for part in (at["resource"], at.get("subresource")) if part)
            decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
            asked.add((decision, at.get("apiGroup", ""), resource, event["verb"]))
        return asked

    def refused(self):
        return {one for one in self.audited() if one[0] != "allow"}

    def unused(self):
        used = {one[1:] for one in self.audited()}
        return {one for one in self.granted() if one not in used and WITHOUT_REQUESTS not in one[1] and one[1:] not in RACES}

    def granted(self):
        """Of every role that the service account is bound to."""
        name = self.controller.account.rpartition(":")[2]
        rights = set()
        for kind in ("clusterrole", "role"):
            place = ("--all-namespaces",) if kind == "role" else ()
            for binding in self.client.get(f"{kind}bindings", *place)["items"]:
                subjects = [(one["kind"], one.get("namespace"), one["name"]) for one in binding.get("subjects", [])]
                if ("ServiceAccount", self.home, name) not in subjects:
                    continue
                at = ("--namespace", binding["metadata"]["namespace"]) if kind == "role" else ()
                for rule in self.client.get(kind, binding["roleRef"]["name"], *at)["rules"]:
                    rights |= {(group, resource, verb) for group in rule["apiGroups"] for resource in rule["resources"]
                               for verb in rule["verbs"]}
        self.assertTrue(rights)
        return rights
