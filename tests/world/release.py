"""The chart on a cluster of ours: what makes its pods and the node that runs them (tests/kubernetes/kubelet), what they need
of AWS and PostgreSQL, and helm."""

import base64
import re
import sys
from contextlib import ExitStack

from clients import Client, until
from settings import CHART, ROOT

sys.path.append(str(ROOT / "tests" / "kubernetes"))

from kubelet import Image, Kubelet, Workloads  # noqa: E402

NAME, NAMESPACE = "chandlery", "chandlery-system"
IMAGE = "chandlery:" + re.search(r'^appVersion: "?([^"\n]+)"?$', (CHART / "Chart.yaml").read_text(), re.M)[1]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
WAIT = ("--wait", "--timeout", "180s")


def unable():
    """Why no pods can run on this machine; None if they can."""
    why = Kubelet.works()
    return why and f"no containers can be made here, neither as root nor in a user namespace: {why}"


class Release:
    """A node, a namespace with the Secrets that the chart wants, and the values with which it runs there. For as long as
    the block runs. `amazon`: the variables that lead an SDK to AWS."""

    def __init__(self, world, cluster, program, database_url, amazon, account):
        self.client = Client(cluster, world.environment)
        self.cluster, self.program = cluster, program
        self.secrets = {"database": {"DATABASE_URL": database_url},
                        "aws": {name: amazon[name] for name in KEYS if name in amazon}}
        region = amazon["AWS_REGION"]
        everything = [f"arn:aws:iam::{account}:role/*"]
        self.values = {
            "database": {"existingSecret": {"name": "database"}}, "masterKey": {"generate": True},
            "aws": {"region": region, "credentialsSecret": "aws"},
            "policy": {"content": {"targets": [{"name": "main", "account": account, "region": region}],
                                   "default_target": "main",
                                   "rules": [{"match": {"platform": "kubernetes"}, "allow": {"role": everything}}]}},
            "broker": {"extraEnv": [{"name": "AWS_ENDPOINT_URL", "value": amazon["AWS_ENDPOINT_URL"]}]},
        }

    def __enter__(self):
        with ExitStack() as stack:
            stack.enter_context(Workloads(self.cluster))
            images = {IMAGE: Image(ROOT / "Dockerfile", self.program)}
            self.kubelet = stack.enter_context(Kubelet(self.cluster, images))
            self.prepare(NAMESPACE, **self.secrets)
            self.opened = stack.pop_all()
        return self

    def __exit__(self, *about):
        return self.opened.__exit__(*about)

    def prepare(self, namespace, **contents):
        """A namespace with Secrets, in which the API server refuses pods that are not fit for the restricted standard."""
        self.client.kubectl("create", "namespace", namespace)
        self.client.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        for name, data in contents.items():
            self.put_secret(name, data, namespace)

    def put_secret(self, name, data, namespace=NAMESPACE):
        self.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                           "stringData": data})

    def helm(self, verb, *values, flags=WAIT):
        return self.client.helm(verb, NAME, NAMESPACE, self.values, *values, flags=flags, timeout=240)

    def secret(self, name, namespace=NAMESPACE):
        data = self.client.get("secret", name, "--namespace", namespace).get("data", {})
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def address(self):
        """The broker's Service's, which is reached from this machine."""
        return self.kubelet.services.addresses[NAMESPACE, f"{NAME}-broker"]

    def until_registered(self):
        until("the broker is registered", self.registered)

    def registered(self):
        status = self.client.get("clusterservicebroker", NAME).get("status", {})
        return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))
