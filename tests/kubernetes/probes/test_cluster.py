"""What the tests may expect of the cluster. Run them: python3 -m unittest discover -s tests/kubernetes/probes"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

WORLD = Path(__file__).resolve().parents[2] / "world"


class Cluster:
    """One that the world's own verb started, as a person would."""

    def __init__(self, *definitions):
        command = [sys.executable, str(WORLD), "--with-parent", "cluster", *definitions]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the cluster did not start (exit status {self.process.wait()}): see above")
        self.ready = json.loads(line)

    def run(self, tool, *words, given=None, good=True):
        """What a client program says; `good` is whether it is to succeed."""
        with tempfile.TemporaryDirectory() as home:
            path = f"{self.ready['bin']}{os.pathsep}{os.environ['PATH']}"
            environment = {"HOME": home, "PATH": path, "KUBECONFIG": self.ready["kubeconfig"]}
            ran = subprocess.run([Path(self.ready["bin"], tool), *words], input=given, env=environment, text=True,
                                 capture_output=True, timeout=120)
        if (ran.returncode == 0) != good:
            raise AssertionError(f"{tool} {' '.join(words)}: exit status {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran.stdout if good else ran.stderr

    def apply(self, *objects, context="admin", good=True):
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.run("kubectl", "apply", "--context", context, "-f", "-", given=json.dumps(listed), good=good)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.stdout.close()
        return self.process.wait(60)


def config_map(name, namespace="default", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace} | metadata}


def thing(name, **metadata):
    return config_map(name, **metadata) | {"apiVersion": "probes.example/v1", "kind": "Thing"}


def until(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")


class TestCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(definition(), file)
            file.flush()
            cls.cluster = Cluster(file.name)
        cls.addClassCleanup(cls.cluster.stop)

    def kubectl(self, *words, **options):
        return self.cluster.run("kubectl", *words, **options)

    def test_programs_and_server_are_of_the_pinned_versions(self):
        versions = json.loads(self.kubectl("version", "--output", "json"))
        self.assertEqual(versions["clientVersion"]["minor"], versions["serverVersion"]["minor"])
        self.assertRegex(versions["serverVersion"]["gitVersion"], r"^v1\.\d+\.\d+$")
        self.assertRegex(self.cluster.run("helm", "version", "--short"), r"^v3\.\d+\.\d+")
        self.assertRegex(self.cluster.run("svcat", "version", "--client"), r"v0\.3\.\d+")
        self.assertIn(versions["serverVersion"]["gitVersion"], self.cluster.run("svcat", "version"))
        self.assertIn("v0.3.", self.kubectl("svcat", "version", "--client"))

    def test_a_namespace_goes_with_what_is_in_it(self):
        self.kubectl("create", "namespace", "short-lived")
        self.cluster.apply(config_map("inside", "short-lived"))
        self.kubectl("delete", "namespace", "short-lived", "--wait", "--timeout=60s")
        self.assertIn("NotFound", self.kubectl("get", "namespace", "short-lived", good=False))

    def test_a_namespace_gets_its_service_account(self):
        self.kubectl("create", "namespace", "served")
        self.kubectl("wait", "--namespace=served", "--for=create", "serviceaccount/default", "--timeout=60s")
        self.kubectl("wait", "--namespace=served", "--for=create", "configmap/kube-root-ca.crt", "--timeout=60s")
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                  "spec": {"token": self.kubectl("create", "token", "default", "--namespace=served").strip()}}
        found = json.loads(self.kubectl("create", "--filename=-", "--output=json", given=json.dumps(review)))
        self.assertEqual(found["status"]["user"]["username"], "system:serviceaccount:served:default")

    def test_what_is_owned_goes_with_its_owner(self):
        for owner in (config_map("owner"), thing("owner")):
            with self.subTest(owner["kind"]):
                self.cluster.apply(owner)
                self.cluster.apply(config_map("owned", ownerReferences=[self.reference(owner)]))
                self.kubectl("delete", owner["kind"], "owner")
                # Less than the garbage collector takes to hear of a new kind.
                self.kubectl("wait", "--for=delete", "configmap/owned", "--timeout=25s")

    def test_a_custom_resource_that_is_owned_goes_with_its_owner(self):
        owner = config_map("owner-of-thing")
        self.cluster.apply(owner)
        self.cluster.apply(thing("owned", ownerReferences=[self.reference(owner)]))
        self.kubectl("delete", "configmap", "owner-of-thing")
        self.kubectl("wait", "--for=delete", "thing/owned", "--timeout=25s")

    def test_a_user_may_what_a_role_says_and_nothing_else(self):
        self.assertIn("Forbidden", self.kubectl("get", "secrets", "--context=alice", good=False))
        self.kubectl("create", "role", "writer", "--verb=get,list,create,patch", "--resource=configmaps")
        self.kubectl("create", "rolebinding", "writer", "--role=writer", "--user=alice")
        until("the role is in force", lambda: self.may("alice", "create", "configmaps"))
        self.cluster.apply(config_map("by-alice"), context="alice")
        self.assertFalse(self.may("bob", "create", "configmaps"))
        self.assertIn("Forbidden", self.kubectl("get", "secrets", "--context=alice", good=False))
        # Who blocks an owner's deletion has to be allowed to.
        reference = self.reference(config_map("by-alice")) | {"blockOwnerDeletion": True}
        blocking = config_map("blocking", ownerReferences=[reference])
        self.assertIn("blockOwnerDeletion", self.cluster.apply(blocking, context="alice", good=False))

    def test_an_aggregated_role_takes_up_what_is_labelled_for_it(self):
        self.cluster.apply({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "probe", "labels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}},
            "rules": [{"apiGroups": ["probes.example"], "resources": ["*"], "verbs": ["*"]}]})
        until("edit has the rule", lambda: "probes.example" in self.kubectl("get", "clusterrole/edit", "--output=json"))

    def test_admission_policies_that_change_objects_are_served(self):
        listed = self.kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "--output", "name")
        self.assertIn("mutatingadmissionpolicies.", listed)

    def test_helm_installs_and_removes_a_chart(self):
        with tempfile.TemporaryDirectory() as chart:
            Path(chart, "Chart.yaml").write_text("apiVersion: v2\nname: probe\nversion: 1.0.0\nkubeVersion: '>= 1.30.0'\n")
            Path(chart, "templates").mkdir()
            Path(chart, "templates", "map.yaml").write_text(json.dumps(config_map("{{ .Release.Name }}-map")))
            self.cluster.run("helm", "install", "probe", chart)
            self.kubectl("get", "configmap", "probe-map")
            self.cluster.run("helm", "uninstall", "probe", "--wait")
        self.assertIn("NotFound", self.kubectl("get", "configmap", "probe-map", good=False))

    def reference(self, owner):
        """The ownerReference to an object that is there."""
        name = owner["metadata"]["name"]
        uid = self.kubectl("get", owner["kind"], name, "--output", "jsonpath={.metadata.uid}")
        return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name, "uid": uid}

    def may(self, user, verb, resource):
        asked = [Path(self.cluster.ready["bin"], "kubectl"), "--kubeconfig", self.cluster.ready["kubeconfig"],
                 "--context", user, "auth", "can-i", "--quiet", verb, resource]
        return subprocess.run(asked, timeout=60).returncode == 0


class TestNothingIsLeft(unittest.TestCase):
    def test_clusters_do_not_meet_and_leave_nothing(self):
        with tempfile.TemporaryDirectory(prefix="probe-") as temporary:
            before = os.environ.get("TMPDIR")
            os.environ["TMPDIR"] = temporary
            try:
                clusters = [Cluster(), Cluster()]
            finally:
                os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
            first, second = clusters
            first.apply(config_map("only-here"))
            self.assertIn("NotFound", second.run("kubectl", "get", "configmap", "only-here", good=False))
            kubeconfig = Path(first.ready["kubeconfig"])
            self.assertEqual(kubeconfig.stat().st_mode & 0o077, 0)
            self.assertEqual(kubeconfig.parent.stat().st_mode & 0o077, 0)
            self.assertGreaterEqual(len(processes(temporary)), 6)
            self.assertEqual([c for c in processes(temporary).values() if any(t in c for t in tokens(kubeconfig))], [])
            self.assertEqual(first.stop(), 0)
            second.stop(signal.SIGKILL)
            until("the killed one's servers end", lambda: not processes(temporary))
            until("its directory goes", lambda: not os.listdir(temporary))


def processes(directory):
    """{pid: arguments} of what carries the directory in its arguments, environment or working directory."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            arguments = Path(f"/proc/{entry}/cmdline").read_text()
            text = arguments + Path(f"/proc/{entry}/environ").read_text() + os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if int(entry) != os.getpid() and directory in text:
            found[int(entry)] = arguments
    return found


def tokens(kubeconfig):
    return [user["user"]["token"] for user in json.loads(kubeconfig.read_text())["users"]]


def definition():
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.probes.example"},
            "spec": {"group": "probes.example", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]}}


if __name__ == "__main__":
    unittest.main()
