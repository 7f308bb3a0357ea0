"""The chart from its installation to its end: a real API server, real controllers of workloads, the real program."""

import concurrent.futures
import json
import os
import subprocess
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

# First: it says where the others are.
from support import cluster, world

import aws
import broker as programs
import postgres
from clients import Client, merged, until
from kubelet import Forwarder
from release import NAMESPACE, Release, unable
from settings import DEFAULT_ACCOUNT, DEFAULT_REGION

BINDINGS = "servicebindings.servicecatalog.k8s.io"
# What a stop may take: the pod's own limit is more.
STOPS_WITHIN = 20


class TestInstall(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if unable():
            raise unittest.SkipTest(unable())
        standin = aws.begin(world())
        program = programs.build(world())
        cls.client = Client(cluster())
        cls.database = postgres.start(world(), durable=False)
        amazon = aws.admin_key(DEFAULT_ACCOUNT) | {"AWS_ENDPOINT_URL": aws.ready(standin).endpoint,
                                                   "AWS_REGION": DEFAULT_REGION}
        cls.release = cls.enterClassContext(Release(world(), cluster(), program, cls.database.url, amazon, DEFAULT_ACCOUNT))
        cls.kubelet, cls.secret = cls.release.kubelet, cls.release.secret
        # A key that changed could not open what it sealed: the broker would not start again.
        cls.values = merged(cls.release.values, {
            "controller": {"settings": {"CHANDLERY_LEASE_DURATION": "3s", "CHANDLERY_CATALOG_CHECK": "1s"}}})

    def setUp(self):
        self.addCleanup(lambda: self._outcome.success or print(self.kubelet.said()[-20000:]))

    def kubectl(self, *words, **options):
        return self.client.kubectl(*words, "--namespace", NAMESPACE, **options)

    def pods(self, component):
        """Those that run, as the kubelet has them."""
        label = "app.kubernetes.io/component"
        return [pod for pod in list(self.kubelet.pods.values()) if pod.pod["metadata"].get("labels", {}).get(label) == component]

    def helm(self, verb, *values, **options):
        return self.release.helm(verb, self.values, *values, **options)

    def classes(self):
        return {one["spec"]["externalName"] for one in self.client.get("clusterserviceclasses")["items"]}

    def test_from_installation_to_end(self):
        for step in (self.install, self.look_at_pods, self.look_at_rights, self.upgrade, self.uninstall,
                     self.install_again):
            step()

    def test_a_database_that_comes_with_the_release(self):
        """As for a trial: helm waits for pods, whose migrations wait for a database that is not there yet."""
        home, port = "trial", postgres.free_port()
        self.database.psql("--quiet", "--command", "CREATE DATABASE trial", check=True)
        url = urllib.parse.urlsplit(self.database.url)
        late = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{port}", path="/trial").geturl()
        self.release.prepare(home, late={"DATABASE_URL": late}, aws=aws.admin_key(DEFAULT_ACCOUNT))
        self.addCleanup(self.client.kubectl, "delete", "namespace", home, "--wait=false")
        values = merged(self.values, {"database": {"existingSecret": {"name": "late"}}, "migrations": {"mode": "init"},
                                      "broker": {"replicas": 1},
                                      "controller": {"enabled": False}, "registration": {"name": "trial"},
                                      "tls": {"mode": "none"}})
        self.addCleanup(self.client.kubectl, "delete", "clusterservicebroker", "trial", "--ignore-not-found")

        def failed():
            return any(pod.restarts.get("migrate", 0) > 1 for pod in self.kubelet.pods.values() if pod.namespace == home)

        with concurrent.futures.ThreadPoolExecutor() as beside:
            installed = beside.submit(self.client.helm, "install", "trial", home, values,
                                      flags=("--wait", "--timeout", "180s"), timeout=240)
            until("migrations have failed", failed)
            self.assertFalse(installed.done())
            with Forwarder(port, (url.hostname, url.port)):
                self.assertIn("WITHOUT TLS", installed.result())
                self.assertEqual([pod.ready for pod in self.kubelet.pods.values() if pod.namespace == home], [True])
                self.client.helm("uninstall", "trial", home, flags=("--wait",))
                until("the pod ends", lambda: not any(pod.namespace == home for pod in list(self.kubelet.pods.values())))

    def test_a_controller_of_some_namespaces(self):
        """Its rights are those namespaces', and they are enough."""
        served, home = "team-a", "narrow"
        for namespace in (served, "team-b", home):
            self.client.kubectl("create", "namespace", namespace)
            self.addCleanup(self.client.kubectl, "delete", "namespace", namespace, "--wait=false")
        values = {"broker": {"enabled": False}, "controller": {"watchNamespaces": [served, "team-b"], "replicas": 1}}
        self.client.helm("install", "narrow", home, values, flags=("--wait", "--timeout", "180s"), timeout=240)
        self.addCleanup(self.client.helm, "uninstall", "narrow", home, flags=("--wait",))
        for namespace in (served, "default"):
            self.client.apply({"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBroker",
                               "metadata": {"name": "silent", "namespace": namespace},
                               "spec": {"url": "https://silent.example.invalid"}})

        def told(namespace):
            return self.client.get("servicebroker", "silent", "--namespace", namespace).get("status", {}).get("conditions")

        until("the broker is tried", lambda: told(served))
        self.assertFalse(told("default"))
        self.assertNotIn("forbidden", self.kubelet.said("narrow-chandlery-controller").lower())
        self.client.kubectl("delete", "servicebroker", "silent", "--namespace", served, "--timeout=30s")
        self.client.kubectl("delete", "servicebroker", "silent", "--namespace", "default", "--timeout=30s")

    def install(self):
        # A former version's definitions: one rule less, one more, and a label of somebody's.
        crd = self.client.get("customresourcedefinition", BINDINGS)
        rules = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"]
        former = [{"rule": "self.secretName != 'former'", "message": "a former rule"}, *rules[1:]]
        path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations"
        self.client.kubectl("patch", "customresourcedefinition", BINDINGS, "--type=json",
                            "--patch", json.dumps([{"op": "replace", "path": path, "value": former}]))
        self.client.kubectl("label", "customresourcedefinition", BINDINGS, "theirs=kept")
        # helm waits for the Jobs before it and for the Deployments after it: so migrations do not block themselves.
        said = self.helm("install")
        self.assertIn("svcat marketplace", said)
        for component in ("broker", "controller"):
            self.assertEqual([pod.ready for pod in self.pods(component)], [True, True])
        self.release.until_registered()
        offered = {"s3-bucket", "sqs-queue"}
        self.assertEqual(until("its catalog is here", lambda: self.classes() >= offered and self.classes()), offered)
        self.assertIn("s3-bucket", self.client.run("svcat", "marketplace"))
        now = self.client.get("customresourcedefinition", BINDINGS)
        self.assertEqual((now["spec"], now["metadata"]["labels"]["theirs"]), (crd["spec"], "kept"))
        # Jobs that did well are gone with what they could do.
        self.assertEqual(self.client.get("jobs", "--all-namespaces")["items"], [])
        self.assertNotIn(".crds", self.kubectl("get", "clusterroles", "--output=name"))

    def look_at_pods(self):
        for component, names in {"broker": {"DATABASE_URL"}, "controller": set()}.items():
            pod = self.pods(component)[0]
            process = self.process(pod)
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(status["Uid"].split(), ["65532"] * 4)
            self.assertEqual((int(status["CapEff"], 16), status["NoNewPrivs"]), (0, "1"))
            self.assertEqual((process / "cmdline").read_text().split("\0")[:2],
                             ["/chandlery", {"broker": "serve"}.get(component, component)])
            environment = (process / "environ").read_text()
            for name in names:
                self.assertIn(name, environment)
            # Read-only: the program has written nothing where it must not, or it would have failed.
            root = next(line.split() for line in (process / "mountinfo").read_text().splitlines() if line.split()[4] == "/")
            self.assertIn("ro", root[5].split(","))
            with urllib.request.urlopen(f"http://{pod.address}:8081/metrics") as page:
                self.assertIn("chandlery_", page.read().decode())
        # The broker has no token of Kubernetes.
        self.assertFalse([volume for volume in self.pods("broker")[0].pod["spec"]["volumes"] if "projected" in volume])

    def process(self, pod):
        marked = str(pod.directory)
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "cwd").startswith(marked):
                    if (entry / "cmdline").read_text().startswith("/chandlery"):
                        return entry
            except OSError:
                continue
        raise AssertionError(f"{pod.name} has no process")

    def look_at_rights(self):
        """The controller may do what it does, and not what is others'."""
        who = f"system:serviceaccount:{NAMESPACE}:chandlery-controller"

        def may(verb, resource, *more):
            asked = [cluster().bin / "kubectl", "auth", "can-i", "--quiet", verb, resource, "--as", who, *more]
            return subprocess.run(asked, env=self.client.environment, stderr=subprocess.DEVNULL).returncode == 0

        for verb, resource, *more in (("patch", "serviceinstances.servicecatalog.k8s.io", "--subresource=status"),
                                      ("update", "servicebindings.servicecatalog.k8s.io", "--subresource=finalizers"),
                                      ("get", "secrets"), ("watch", "clusterserviceplans.servicecatalog.k8s.io")):
            self.assertTrue(may(verb, resource, "--namespace=default", *more), f"{verb} {resource}")
        for verb, resource in (("create", "serviceinstances.servicecatalog.k8s.io"),
                               ("delete", "serviceinstances.servicecatalog.k8s.io"),
                               ("create", "pods"), ("list", "configmaps"), ("deletecollection", "secrets"),
                               ("update", "customresourcedefinitions"),
                               ("create", "clusterservicebrokers.servicecatalog.k8s.io"), ("get", "leases")):
            self.assertFalse(may(verb, resource, "--namespace=default"), f"{verb} {resource}")
        self.assertNotIn("forbidden", self.kubelet.said("chandlery-controller").lower())

    def upgrade(self):
        before = {pod.uid for pod in self.pods("broker")}
        password = self.secret("chandlery-broker-login")["password"]
        certificate, policy = self.secret("chandlery-broker-tls"), self.secret("chandlery-broker-policy")
        # What a change of the policy alone needs is no restart: it is a file that changes.
        self.helm("upgrade", {"policy": {"content": {"tags": {"stage": "live"}}}, "registration": {"offerings": ["s3-*"]}})
        self.assertEqual({pod.uid for pod in self.pods("broker")}, before)
        self.assertEqual(self.secret("chandlery-broker-login")["password"], password)
        self.assertEqual(self.secret("chandlery-broker-tls"), certificate)
        self.assertNotEqual(self.secret("chandlery-broker-policy"), policy)
        self.client.run("svcat", "sync", "broker", "chandlery", "--scope", "cluster")
        until("the catalog is narrowed", lambda: self.classes() == {"s3-bucket"})
        # A change of the pods replaces them one after the other, and each ends in time.
        former = self.pods("broker") + self.pods("controller")
        self.helm("upgrade", {"broker": {"settings": {"CHANDLERY_WORKERS": 8}},
                              "controller": {"settings": {"CHANDLERY_CONCURRENCY": 4}}})
        until("the former pods end", lambda: not any(pod.is_alive() for pod in former))
        for pod in former:
            [(_, took, killed)] = pod.stops
            self.assertFalse(killed, f"{pod.name} had to be killed")
            self.assertLess(took, STOPS_WITHIN, pod.name)
        until("the controller works again", lambda: self.classes() == {"s3-bucket", "sqs-queue"}, 90)
        self.assertTrue(self.release.registered())
        # The rights were enough for all of this.
        self.assertNotIn("forbidden", self.kubelet.said("chandlery-controller").lower())

    def uninstall(self):
        # As svcat would order it. No broker is asked: what matters is that it outlives the release.
        self.client.apply({"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceInstance",
                           "metadata": {"name": "kept", "namespace": "default"},
                           "spec": {"clusterServiceClassExternalName": "s3-bucket",
                                    "clusterServicePlanExternalName": "standard"}})
        self.password = self.secret("chandlery-broker-login")["password"]
        self.helm("uninstall", flags=("--wait",))
        until("the pods end", lambda: not self.pods("broker") and not self.pods("controller"))
        self.assertTrue(self.client.get("serviceinstance", "kept"))
        self.assertTrue(self.client.get("clusterservicebroker", "chandlery"))
        self.assertEqual(self.secret("chandlery-broker-login")["password"], self.password)
        kinds = "clusterroles", "clusterrolebindings", "validatingadmissionpolicies", "mutatingadmissionpolicies"
        left = self.client.kubectl("get", ",".join(kinds), "--output=name")
        self.assertNotIn("chandlery", left)

    def install_again(self):
        self.helm("install")
        self.assertEqual(self.secret("chandlery-broker-login")["password"], self.password)
        self.release.until_registered()
        self.client.kubectl("delete", "serviceinstance", "kept", "--wait=false")
        self.helm("uninstall", flags=("--wait",))


if __name__ == "__main__":
    unittest.main()
