"""The node: takes every pod of the cluster, and tells the API server what became of it."""

import subprocess
import sys
import threading
import time
import traceback
import urllib.parse

from .api import Api
from .pod import Pod
from .services import Addresses, Services

# What makes pods of Deployments, StatefulSets and Jobs. The test cluster itself has none of them.
CONTROLLERS = "deployment-controller,replicaset-controller,statefulset-controller,job-controller"


class Workloads:
    """Kubernetes' own controllers of workloads, for as long as the block runs."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        directory = self.cluster.directory
        flags = {"kubeconfig": "kubeconfig", "controllers": CONTROLLERS, "leader-elect": "false", "secure-port": 0,
                 "kube-api-qps": 500, "kube-api-burst": 1000}
        with (directory / "workloads.log").open("wb") as log:
            self.process = subprocess.Popen([self.cluster.programs["kube-controller-manager"],
                                             *(f"--{k}={v}" for k, v in flags.items())],
                                            cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Kubelet(threading.Thread):
    """Runs the cluster's pods for as long as the block runs. `images`: {name: Image}."""

    def __init__(self, cluster, images, name="kubelet"):
        super().__init__(daemon=True, name=name)
        self.cluster, self.images = cluster, images
        self.api = Api(cluster.url, cluster.tokens["admin"], cluster.directory / "apiserver.crt")
        self.directory, self.logs = cluster.directory / "pods", cluster.directory / "logs"
        for directory in (self.directory, self.logs):
            directory.mkdir(exist_ok=True)
        self.hosts, self.resolve = self.directory / "hosts", self.directory / "nsswitch.conf"
        self.resolve.write_text("hosts: files dns\n")
        self.addresses = Addresses()
        self.services = Services(self.hosts, self.addresses.service)
        self.pods, self.ended = {}, []
        self.closing = False

    @staticmethod
    def works():
        """Why containers cannot be made here; None if they can."""
        check = [sys.executable, "-c", "import sys; sys.path[:0] = sys.argv[1:]; import container; "
                 "container.isolate(65532, 65532); container.mount(None, '/', container.MS_REC | container.MS_PRIVATE)", __file__.rpartition("/")[0]]
        ran = subprocess.run(check, capture_output=True, text=True)
        return ran.stderr.strip().rpartition("\n")[2] if ran.returncode else None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.closing = True
        self.join(30)
        for pod in list(self.pods.values()):
            pod.stop_within(1)
        for pod in list(self.pods.values()):
            pod.join(10)
        self.services.close()
        self.addresses.close()

    def kubernetes(self):
        """What every container is told of the API server."""
        url = urllib.parse.urlsplit(self.cluster.url)
        return {"KUBERNETES_SERVICE_HOST": url.hostname, "KUBERNETES_SERVICE_PORT": str(url.port)}

    def run(self):
        while not self.closing:
            try:
                self.sync()
            except Exception:  # it goes on, as a node does, and says why it could not
                traceback.print_exc()
            time.sleep(0.1)

    def sync(self):
        listed = {pod["metadata"]["uid"]: pod for pod in self.api.get("/api/v1/pods")["items"]}
        for uid, pod in listed.items():
            meta = pod["metadata"]
            if uid in self.pods:
                if "deletionTimestamp" in meta:
                    self.pods[uid].stop_within(meta.get("deletionGracePeriodSeconds", 30))
            elif "deletionTimestamp" not in meta:
                if not pod["spec"].get("nodeName"):
                    self.bind(pod)
                self.pods[uid] = Pod(self, pod, self.addresses.pod())
                self.pods[uid].start()
            elif pod["spec"].get("nodeName"):
                # It was to go before we had seen it.
                path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
                self.api.call("DELETE", path, {"gracePeriodSeconds": 0}, missing=True)
        for uid in [uid for uid in self.pods if uid not in listed]:
            self.pods[uid].stop_within(0)
            if not self.pods[uid].is_alive():
                self.ended.append(self.pods.pop(uid))
        ready = [(pod.pod, pod.address) for pod in self.pods.values() if pod.ready and pod.asked is None]
        self.services.refresh(self.api.get("/api/v1/services")["items"], ready)

    def bind(self, pod):
        meta = pod["metadata"]
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": "here"}}
        self.api.call("POST", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding", body)

    def said(self, part=""):
        """What containers wrote, for a test that fails."""
        files = [file for file in sorted(self.logs.iterdir()) if part in file.name]
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-4000:]}" for file in files)
