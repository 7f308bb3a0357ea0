"""helm on the chart, offline or on a cluster of the tests; what it renders, as objects.

Run all probes of the chart: python3 tests/world python -m unittest discover -s tests/kubernetes/chart
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CHART = ROOT / "charts" / "chandlery"
sys.path[:0] = [str(ROOT / "tests" / "world"), str(HERE.parent)]

import cluster as clusters  # noqa: E402
import programs  # noqa: E402
from settings import without_kubernetes  # noqa: E402
from world import World  # noqa: E402

# The least that can be installed.
LEAST = {
    "database": {"existingSecret": {"name": "database"}},
    "masterKey": {"existingSecret": {"name": "master-key"}},
    "policy": {"content": {"targets": [{"name": "main", "account": "123456789012", "region": "eu-central-1"}],
                           "default_target": "main"}},
}
# What `helm template` cannot ask a cluster for.
RECORDS_USERS = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


@functools.cache
def world():
    opened = World()
    opened.__enter__()
    atexit.register(opened.__exit__, None, None, None)
    return opened


@functools.cache
def cluster():
    """A real API server. Nothing makes pods on it unless a test starts what does."""
    return clusters.start(world())


def merged(*several):
    """Values on values: a mapping is merged, everything else is replaced, as helm does it."""
    result = {}
    for values in several:
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def run(tool, *words, given=None, good=True, environment=None, timeout=180):
    """What it prints; `good` says whether it is to succeed, and then what it printed as an error is given."""
    ran = subprocess.run([tool, *map(str, words)], input=given, env=environment, text=True, capture_output=True,
                         timeout=timeout)
    if (ran.returncode == 0) != good:
        raise AssertionError(f"{' '.join(map(str, words))}: exit status {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout if good else ran.stderr + ran.stdout


@functools.cache
def helm_program():
    return programs.find(world())["helm"]


def offline():
    """An environment in which helm finds neither a cluster nor anything of a person's."""
    home = str(world().directory)
    return without_kubernetes(os.environ) | {"HOME": home, "HELM_CACHE_HOME": f"{home}/helm",
                                             "HELM_CONFIG_HOME": f"{home}/helm",
                                             "HELM_DATA_HOME": f"{home}/helm"}


class Values:
    """Values in a file for as long as the block runs."""

    def __init__(self, *several):
        self.values = merged(*several)

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump(self.values, self.file)
        self.file.flush()
        return self.file.name

    def __exit__(self, *_):
        self.file.close()


def lint(*several, good=True):
    with Values(*several) as values:
        return run(helm_program(), "lint", "--strict", CHART, "--values", values, good=good, environment=offline())


def refused(*several):
    """Why helm does not render these."""
    with Values(*several) as values:
        return run(helm_program(), "template", "r", CHART, "--values", values, good=False, environment=offline())


def template(*several, name="r", namespace="n", flags=("--api-versions", RECORDS_USERS)):
    """What helm renders, hooks included."""
    with Values(*several) as values:
        text = run(helm_program(), "template", name, CHART, "--namespace", namespace, "--values", values, *flags,
                   environment=offline())
    return Rendered(one for one in yaml.safe_load_all(text) if one)


class Rendered(list):
    """Objects, found by kind and the end of their name."""

    def all(self, kind, ending=""):
        return [one for one in self if one["kind"] == kind and one["metadata"]["name"].endswith(ending)]

    def one(self, kind, ending=""):
        found = self.all(kind, ending)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} objects {kind} …{ending}: {[one['metadata']['name'] for one in found]}")
        return found[0]

    def pod(self, kind, ending):
        return self.one(kind, ending)["spec"]["template"]["spec"]

    def container(self, kind, ending):
        return self.pod(kind, ending)["containers"][0]

    def pods(self):
        """{kind/name: pod spec} of everything that makes pods."""
        return {f"{one['kind']}/{one['metadata']['name']}": one["spec"]["template"]["spec"]
                for one in self if "template" in one.get("spec", {})}

    def policy(self):
        return yaml.safe_load(self.one("Secret", "-broker-policy")["stringData"]["policy.yaml"])

    def names(self):
        return {f"{one['kind']}/{one['metadata']['name']}" for one in self}


def environment(container):
    """{name: value, or where it is from}"""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


class Client:
    """kubectl, helm and svcat on a cluster."""

    def __init__(self, of):
        self.cluster = of
        self.environment = of.environment(os.environ) | {"KUBECONFIG": str(of.kubeconfig), "HOME": str(of.directory)}

    def run(self, tool, *words, **options):
        return run(str(self.cluster.bin / tool), *words, environment=self.environment, **options)

    def kubectl(self, *words, **options):
        return self.run("kubectl", *words, **options)

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "--output", "json"))

    def apply(self, *objects, user="admin", good=True):
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "--context", user, "--filename", "-", given=json.dumps(listed), good=good)

    def helm(self, verb, name, namespace, *several, good=True, flags=(), timeout=300):
        with Values(*several) as values:
            place = () if verb == "uninstall" else (CHART, "--values", values)
            return self.run("helm", verb, name, *place, "--namespace", namespace, *flags, good=good, timeout=timeout)


def until(what, holds, seconds=60, pause=0.1):
    """Waits until it holds, and gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)
