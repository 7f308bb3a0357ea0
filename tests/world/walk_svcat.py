"""The main job with svcat, on a cluster with the chart, as somebody at a terminal does it."""

import json
import shlex

from show import Clock
from steps import Wrong
from walk import BINDINGS, DONE, FAILED, IN_PROGRESS, WANTED, Walk, parameter

NAMESPACE, PLAN = "demo", "standard"
WAIT = ("--wait", "--interval", "200ms", "--timeout", "5m")
KINDS = ("serviceinstances", "servicebindings", "secrets")


class SvcatWalk(Walk):
    titles = Walk.titles | {"catalog": "svcat marketplace", "provision": "svcat provision: a bucket and a queue",
                            "bind": "svcat bind: Secrets for applications", "unbind": "svcat unbind",
                            "deprovision": "svcat deprovision", "remains": "Look for remains in AWS and in the cluster"}

    def __init__(self, stack, steps):
        super().__init__(stack, steps)
        self.client, self.release = stack.release.client, stack.release
        self.client.kubectl("create", "namespace", NAMESPACE)

    def read_catalog(self):
        for line in self.svcat("marketplace").splitlines():
            self.screen.note(line)
        classes = {one["spec"]["externalName"]: one["metadata"]["name"]
                   for one in self.client.get("clusterserviceclasses")["items"]}
        lacking = [wanted for wanted in WANTED.values() if wanted not in classes]
        if lacking:
            raise Wrong(f"the marketplace has no {' and no '.join(lacking)}")
        self.schemas = {}
        for plan in self.client.get("clusterserviceplans")["items"]:
            for name, wanted in WANTED.items():
                spec = plan["spec"]
                if (spec["clusterServiceClassRef"]["name"], spec["externalName"]) == (classes[wanted], PLAN):
                    self.schemas[name] = spec["serviceBindingCreateParameterSchema"]

    def provision(self):
        waits = {}
        for name, wanted in WANTED.items():
            self.instances[name] = f"demo-{name}"
            words = ["provision", self.instances[name], "--class", wanted, "--plan", PLAN]
            waits[name] = self.begin(words, "serviceinstance", self.instances[name])
        self.wait(waits)

    def bind(self):
        waits = {}
        for name, (owner, word) in BINDINGS.items():
            given = json.dumps({parameter(self.schemas[owner], owner, word): word})
            self.bindings[name] = name
            words = ["bind", self.instances[owner], "--name", name, "--secret-name", name, "--params-json", given]
            waits[name] = self.begin(words, "servicebinding", name)
        self.wait(waits)
        for name in self.bindings:
            self.hold(name, self.release.secret(name, NAMESPACE))

    def unbind(self):
        self.wait({name: self.begin(["unbind", "--name", name, "--yes"], "servicebinding", name, gone=True)
                   for name in self.bindings})

    def deprovision(self):
        self.wait({name: self.begin(["deprovision", instance, "--yes"], "serviceinstance", instance, gone=True)
                   for name, instance in self.instances.items()})

    def inventory(self):
        """Of the cluster everything that an order makes, in all namespaces."""
        result = dict(super().inventory())
        for kind in KINDS:
            metas = [one["metadata"] for one in self.client.get(kind, "--all-namespaces")["items"]]
            result[kind] = [f"{meta['namespace']}/{meta['name']}" for meta in metas]
        return result

    def svcat(self, *words):
        self.screen.note(f"$ svcat {shlex.join(words)}")
        return self.client.run("svcat", *words)

    def begin(self, words, kind, name, gone=False):
        words = [*words, "--namespace", NAMESPACE, *WAIT]
        self.screen.note(f"$ svcat {shlex.join(words)}")
        return Command(self.client, self.client.begin("svcat", *words), kind, name, gone)


class Command:
    """svcat, which waits for an object, and what the object says meanwhile. `gone`: whether it is to go."""

    pause = 0.5
    # `svcat unbind --wait` ends early where its first look comes before the controller's: going may take longer than svcat.
    LATE = 60

    def __init__(self, client, process, kind, name, gone):
        self.client, self.process, self.kind, self.name, self.gone = client, process, kind, name, gone
        self.ended = None

    def look(self):
        if self.ended is None and self.process.poll() is not None:
            self.ended = Clock()
            with self.process:
                self.said = self.process.stdout.read().strip()
        found = self.client.kubectl("get", self.kind, self.name, "--namespace", NAMESPACE, "--ignore-not-found",
                                    "--output", "json")
        conditions = json.loads(found).get("status", {}).get("conditions", []) if found else []
        ready = next((one for one in conditions if one["type"] == "Ready"), {})
        words = f"{ready['reason']}: {ready['message']}" if ready.get("reason") else "asked for"
        if self.ended is None:
            return IN_PROGRESS, words
        if self.process.returncode:
            return FAILED, f"svcat: exit status {self.process.returncode}: {self.said}"
        if (self.gone and not found) or (not self.gone and ready.get("status") == "True"):
            return DONE, "gone" if self.gone else words
        if self.gone and self.ended.seconds() < self.LATE:
            return IN_PROGRESS, words
        return FAILED, f"svcat is content, and the cluster has: {words}"
