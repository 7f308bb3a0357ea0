"""The controller as a process, without a node: with the environment of the chart's Deployment and a token of its service
account, so that it may do what the chart lets it and nothing else."""

import os
import subprocess
import tempfile
from pathlib import Path

# First: it says where the others are.
from support import cluster, world

import broker as programs
import yaml


class Controller:
    """`account`: its user. `more`: variables besides. Runs as long as the block does."""

    def __init__(self, client, namespace, **more):
        self.folder = tempfile.TemporaryDirectory()
        deployment = client.get("deployments", "--namespace", namespace)["items"][0]
        pod = deployment["spec"]["template"]["spec"]
        self.account = f"system:serviceaccount:{namespace}:{pod['serviceAccountName']}"
        token = client.kubectl("create", "token", pod["serviceAccountName"], "--namespace", namespace).strip()
        environment = {one["name"]: one.get("value", namespace) for one in pod["containers"][0]["env"]}
        self.environment = environment | {
            "CHANDLERY_KUBECONFIG": self.kubeconfig(token), "CHANDLERY_CONTROLLER_LISTEN": "127.0.0.1:0",
            "PATH": os.environ["PATH"]} | more
        self.arguments = pod["containers"][0]["args"]
        self.process = None

    def kubeconfig(self, token):
        kubeconfig = yaml.safe_load(cluster().kubeconfig.read_text())
        context = next(one for one in kubeconfig["contexts"] if one["name"] == kubeconfig["current-context"])["context"]
        kubeconfig["users"] = [{"name": context["user"], "user": {"token": token}}]
        path = Path(self.folder.name, "kubeconfig")
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(kubeconfig))
        return str(path)

    def __enter__(self):
        self.log = open(Path(self.folder.name, "log"), "w+")
        program = programs.build(world())
        self.process = subprocess.Popen([program, *self.arguments], env=self.environment, stdout=self.log, stderr=self.log)
        return self

    def __exit__(self, *about):
        self.stop()
        self.log.close()
        self.folder.cleanup()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def said(self):
        return Path(self.log.name).read_text(errors="replace")
