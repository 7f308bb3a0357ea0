"""The chart rendered offline, as objects; the world and the cluster that the probes share.

Run all probes of the chart: python3 tests/world python -m unittest discover -s tests/kubernetes/chart
"""

import atexit
import functools
import json
import os
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "world"), str(HERE.parent)]

import cluster as clusters  # noqa: E402
import programs  # noqa: E402
from clients import merged, run  # noqa: E402
from settings import CHART, without_kubernetes  # noqa: E402
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


@functools.cache
def helm_program():
    return programs.find(world())["helm"]


def offline():
    """An environment in which helm finds neither a cluster nor anything of a person's."""
    home = str(world().directory)
    return without_kubernetes(os.environ) | {"HOME": home, "HELM_CACHE_HOME": f"{home}/helm",
                                             "HELM_CONFIG_HOME": f"{home}/helm",
                                             "HELM_DATA_HOME": f"{home}/helm"}


def lint(*several, good=True):
    return helm("lint", "--strict", CHART, several=several, good=good)


def refused(*several):
    """Why helm does not render these."""
    return helm("template", "r", CHART, several=several, good=False)


def template(*several, name="r", namespace="n", flags=("--api-versions", RECORDS_USERS)):
    """What helm renders, hooks included."""
    text = helm("template", name, CHART, "--namespace", namespace, *flags, several=several)
    return Rendered(one for one in yaml.safe_load_all(text) if one)


def helm(*words, several, good=True):
    return run(helm_program(), *words, "--values", "-", given=json.dumps(merged(*several)), good=good, environment=offline())


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
