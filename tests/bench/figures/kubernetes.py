"""The controller on a real API server, with a broker that does everything at once: one round of a user's, and a thousand
instances with a thousand bindings."""

import http.client
import json
import re
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import local

import cluster as clusters
import machine
import postgres
from world import World

sys.path.append(str(Path(__file__).resolve().parents[2] / "kubernetes" / "chart"))

from session_broker import SessionBroker  # noqa: E402

GROUP, NAMESPACE = "servicecatalog.k8s.io", "bench"
AT_A_TIME, PATIENCE = 16, 600
COUNTED = ("serviceinstances", "servicebindings", "secrets", "events", "namespaces")


def measure(house, options):
    with World() as world, SessionBroker() as broker:
        cluster = clusters.start(world)
        api = Api(cluster)
        api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        controller = start(house, cluster)
        try:
            api.post(api.at("servicebrokers"), thing("ServiceBroker", "b", {"url": broker.url}))
            api.until(api.at("servicebrokers", "b"), is_ready)
            rounds = [one_round(api, f"round-{number}") for number in range(4 * options.rounds)]
            return {"round_s": median(rounds), "worst_round_s": max(rounds),
                    "rss_mib_before": rss_mib(controller)} | crowd(api, broker, controller, options.objects)
        finally:
            controller.stop(patience=5)


def start(house, cluster):
    environment = house.environment | {
        "CHANDLERY_KUBECONFIG": str(cluster.kubeconfig), "CHANDLERY_ALLOW_LOCAL_BROKERS": "true",
        "CHANDLERY_NAMESPACED_ONLY": "true", "CHANDLERY_LEASE_NAMESPACE": "default",
        "CHANDLERY_CONTROLLER_LISTEN": f"127.0.0.1:{postgres.free_port()}"}
    with (house.home / "controller.log").open("wb") as log:
        return house.start("controller", [house.program, "controller"], env=environment, stdout=log, stderr=log)


def one_round(api, name):
    """Provision, ready, bind, Secret, unbind, deprovision: seconds."""
    began = time.perf_counter()
    order(api, name)
    api.until(api.at("serviceinstances", name), is_ready)
    bind(api, name)
    api.until(api.at("servicebindings", name), is_ready)
    assert api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}")["data"]["password"]
    for kind in ("servicebindings", "serviceinstances"):
        api.delete(api.at(kind, name))
        api.until(api.at(kind, name), lambda there: there is None)
    return time.perf_counter() - began


def crowd(api, broker, controller, count):
    names = [f"crowd-{number}" for number in range(count)]
    before, heard, cpu = api.requests(), len(broker.heard), machine.cpu_seconds(controller.process.pid)
    took = {"provision_s": all_of(api, "serviceinstances", names, order), "bind_s": all_of(api, "servicebindings", names, bind)}
    memory = rss_mib(controller)
    asked = {key: round((value - before.get(key, 0)) / count, 2) for key, value in api.requests().items()}
    heard = (len(broker.heard) - heard) / count
    cpu = (machine.cpu_seconds(controller.process.pid) - cpu) * 1e3 / count
    took |= {"unbind_s": none_of(api, "servicebindings", names), "deprovision_s": none_of(api, "serviceinstances", names)}
    return {"objects": 2 * count} | took | {
        "rss_mib": memory, "controller_cpu_ms_per_pair": cpu, "broker_requests_per_pair": heard,
        "api_requests_per_pair": {key: value for key, value in sorted(asked.items()) if value >= 0.05}}


def all_of(api, kind, names, make):
    began = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        list(threads.map(lambda name: make(api, name), names))
    wait(lambda: sum(is_ready(one) for one in api.list(kind)) >= len(names))
    return time.monotonic() - began


def none_of(api, kind, names):
    began = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        list(threads.map(lambda name: api.delete(api.at(kind, name)), names))
    wait(lambda: not api.list(kind))
    return time.monotonic() - began


def wait(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"not within {PATIENCE} s")
        time.sleep(0.25)


def order(api, name):
    spec = {"serviceClassExternalName": "queue", "servicePlanExternalName": "only", "parameters": {"size": 1}}
    api.post(api.at("serviceinstances"), thing("ServiceInstance", name, spec))


def bind(api, name):
    api.post(api.at("servicebindings"), thing("ServiceBinding", name, {"instanceRef": {"name": name}}))


def thing(kind, name, spec):
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def is_ready(there):
    conditions = ((there or {}).get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def rss_mib(child):
    with open(f"/proc/{child.process.pid}/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


class Api:
    """The API server, over a connection that is kept, one for each thread."""

    def __init__(self, cluster):
        self.host = cluster.url.removeprefix("https://")
        self.token = cluster.tokens[clusters.ADMIN]
        self.context = ssl.create_default_context(cafile=cluster.directory / "apiserver.crt")
        self.kept = local()

    @staticmethod
    def at(kind, name=""):
        return f"/apis/{GROUP}/v1beta1/namespaces/{NAMESPACE}/{kind}" + (f"/{name}" if name else "")

    def ask(self, method, path, body=None):
        if not hasattr(self.kept, "connection"):
            self.kept.connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.kept.connection.request(method, path, json.dumps(body) if body else None, headers)
        reply = self.kept.connection.getresponse()
        text = reply.read()
        if reply.status == 404:
            return None
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {text[:500]}")
        return text

    def get(self, path):
        text = self.ask("GET", path)
        return text and json.loads(text)

    def list(self, kind):
        return self.get(self.at(kind) + "?resourceVersion=0")["items"]

    def post(self, path, body):
        self.ask("POST", path, body)

    def delete(self, path):
        self.ask("DELETE", path)

    def until(self, path, holds):
        end = time.monotonic() + 60
        while not holds(self.get(path)):
            if time.monotonic() > end:
                raise RuntimeError(f"{path} does not become as it should: {self.get(path)}")
            time.sleep(0.005)

    def requests(self):
        """How many the API server has had, by kind and verb, from anybody; lists and watches are left out."""
        counts = {}
        for line in self.ask("GET", "/metrics").decode().splitlines():
            if line.startswith("apiserver_request_total{"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                if labels["resource"] in COUNTED and labels["verb"] in ("APPLY", "DELETE", "GET", "PATCH", "POST", "PUT"):
                    key = "/".join(part for part in (labels["resource"], labels["subresource"]) if part) + f" {labels['verb']}"
                    counts[key] = counts.get(key, 0) + float(line.rsplit(" ", 1)[1])
        return counts
