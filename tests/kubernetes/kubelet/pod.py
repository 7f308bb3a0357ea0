"""One pod: its containers run, are probed, restarted and stopped as it says, and its status says what was seen."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path

from .api import ApiError
from .image import HOST
from .probes import Probe
from .volumes import Missing, Volume, variables

BECOME = Path(__file__).with_name("container.py")
# Between two attempts; a real node's grow to five minutes.
BACKOFF = (0.2, 0.5, 1, 2, 5)


class Pod(threading.Thread):
    """`ready`: whether it takes requests. `stops`: [(container, seconds a stop took, whether it had to be killed)]."""

    def __init__(self, node, pod, address):
        super().__init__(daemon=True, name=pod["metadata"]["name"])
        self.node, self.api, self.pod, self.address = node, node.api, pod, address
        meta = pod["metadata"]
        self.namespace, self.uid = meta["namespace"], meta["uid"]
        self.directory = node.directory / f"{meta['name']}-{self.uid[:8]}"
        self.path = f"/api/v1/namespaces/{self.namespace}/pods/{meta['name']}"
        self.ready, self.stops, self.trouble = False, [], None
        self.asked, self.reported, self.begun = None, None, now()
        self.states, self.restarts = {}, {}

    def stop_within(self, seconds):
        """Asks it to end; called from the node's thread."""
        if self.asked is None:
            self.asked = seconds

    def run(self):
        try:
            self.directory.mkdir()
            self.live()
        except Ended:
            pass
        except Exception:  # what it cannot do must not look like a pod that works
            self.trouble = traceback.format_exc()
            self.ready = False
            self.report("Pending", reason="KubeletCannot", message=self.trouble[-900:])
            while self.asked is None:
                time.sleep(0.1)
        finally:
            if self.asked is not None:
                self.forget()

    def live(self):
        spec = self.pod["spec"]
        self.volumes = {one["name"]: Volume(self.api, self.pod, one,
                                            self.directory / "volumes" / one["name"]) for one in spec.get("volumes", [])}
        self.refresh(wait=True)
        for container in spec.get("initContainers", []):
            self.finish(container)
        if spec.get("restartPolicy", "Always") == "Never":
            self.once(spec["containers"])
        else:
            self.serve(spec["containers"])

    def refresh(self, wait=False):
        """Brings the volumes up to date. The first time everything has to be there."""
        while True:
            try:
                for volume in self.volumes.values():
                    volume.refresh()
                return
            except (Missing, ApiError) as error:
                if not wait:
                    return
                self.report("Pending", reason="FailedMount", message=str(error))
                self.nap(0.2)

    def nap(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.asked is not None:
                raise Ended
            time.sleep(0.05)

    def ended(self, container, phase):
        """Its process, run to its end, the pod being in that phase meanwhile."""
        process = self.begin(container)
        self.report(phase)
        try:
            while process.poll() is None:
                self.nap(0.05)
        except Ended:
            self.end(container, process)
            raise
        self.states[container["name"]] = terminated(process)
        return process

    def finish(self, container):
        """An init container: until it has succeeded."""
        for attempt in range(10**6):
            process = self.ended(container, "Pending")
            if process.returncode == 0:
                self.report("Pending")
                return
            self.restarts[container["name"]] = attempt + 1
            self.report("Pending")
            self.nap(BACKOFF[min(attempt, len(BACKOFF) - 1)])

    def once(self, containers):
        """A Job's: it ends as its containers do."""
        [container] = containers
        process = self.ended(container, "Running")
        self.report("Succeeded" if process.returncode == 0 else "Failed")
        while self.asked is None:
            time.sleep(0.1)
        raise Ended

    def serve(self, containers):
        [container] = containers
        attempt = 0
        while True:
            process = self.begin(container)
            try:
                self.watch(container, process)
            except Ended:
                self.ready = False
                self.report("Running")
                self.end(container, process)
                raise
            self.ready = False
            self.end(container, process)
            self.states[container["name"]] = terminated(process)
            self.restarts[container["name"]] = self.restarts.get(container["name"], 0) + 1
            self.report("Running")
            self.nap(BACKOFF[min(attempt, len(BACKOFF) - 1)])
            attempt += 1

    def watch(self, container, process):
        """Until it ended, or a probe says that it should."""
        ports = {one.get("name"): one["containerPort"] for one in container.get("ports", [])}
        probes = {kind: Probe(container[f"{kind}Probe"], self.address, ports)
                  for kind in ("startup", "liveness", "readiness") if f"{kind}Probe" in container}
        fresh = time.monotonic()
        while process.poll() is None:
            started = "startup" not in probes or probes["startup"].verdict or probes["startup"].look()
            if started is False or (started and "liveness" in probes and probes["liveness"].look() is False):
                return
            self.ready = bool(started and ("readiness" not in probes or probes["readiness"].look()))
            self.said = {kind: probe.said for kind, probe in probes.items()}
            self.report("Running")
            if time.monotonic() - fresh > 1:
                self.refresh()
                fresh = time.monotonic()
            self.nap(0.1)

    def begin(self, container):
        name = container["name"]
        while True:
            try:
                image = self.node.images.get(container["image"])
                if image is None:
                    raise Missing(f"there is no image {container['image']}; known: {', '.join(self.node.images)}")
                environment = variables(self.api, self.pod, container, image.environment | self.node.kubernetes())
                break
            except (Missing, ApiError) as error:
                self.states[name] = {"waiting": {"reason": "CreateContainerConfigError", "message": str(error)}}
                self.report("Pending")
                self.nap(0.2)
        return self.launch(container, image, environment)

    def launch(self, container, image, environment):
        name = container["name"]
        mine = lambda text: re.sub(r"^0\.0\.0\.0:", f"{self.address}:", text)  # noqa: E731
        environment = {key: mine(value) for key, value in environment.items()} | {"HOSTNAME": self.pod["metadata"]["name"]}
        command = container.get("command", image.entrypoint)
        given = container.get("args", [] if "command" in container else image.command)
        root = self.directory / f"root-{name}"
        shutil.rmtree(root, ignore_errors=True)
        security = self.pod["spec"].get("securityContext", {}) | container.get("securityContext", {})
        group = security.get("runAsGroup", security.get("runAsUser", image.user))
        specification = self.directory / f"{name}.json"
        specification.touch(0o600)
        specification.write_text(json.dumps({
            "root": str(root), "mounts": self.mounts(container, image, root),
                                             "read_only": security.get("readOnlyRootFilesystem", False),
            "user": security.get("runAsUser", image.user), "group": group,
            "groups": [security["fsGroup"]] if "fsGroup" in security else [],
            "arguments": [*command, *map(mine, given)], "environment": environment}))
        with (self.node.logs / f"{self.pod['metadata']['name']}.{name}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-I", str(BECOME), str(specification)], stdin=subprocess.DEVNULL,
                                       stdout=log,
                                       stderr=log, cwd=self.directory, env={"PATH": os.environ["PATH"]},
                                       start_new_session=True)
        self.states[name] = {"running": {"startedAt": now()}}
        return process

    def mounts(self, container, image, root):
        """What makes up the container's root: the image's, this machine's, the volumes."""
        mounts = []
        for place in HOST:
            if Path(place).is_symlink():
                (root / place[1:]).parent.mkdir(parents=True, exist_ok=True)
                (root / place[1:]).symlink_to(os.readlink(place))
            elif Path(place).exists():
                mounts.append((place, place, False))
        mounts += [(place, place, True) for place in ("/proc", "/dev")]
        mounts += [(str(self.node.hosts), "/etc/hosts", False), (str(self.node.resolve), "/etc/nsswitch.conf", False)]
        mounts += [(source, place, False) for source, place in image.mounts]
        for one in container.get("volumeMounts", []):
            if "subPath" in one:
                raise NotImplementedError("subPath")
            writable = not one.get("readOnly") and "emptyDir" in self.volumes[one["name"]].wanted
            mounts.append((str(self.volumes[one["name"]].directory), one["mountPath"], writable))
        for source, place, _ in mounts:
            target = root / place[1:]
            if Path(source).is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
        (root / "tmp").mkdir(exist_ok=True)
        return mounts

    def end(self, container, process):
        """The pause before a stop, the stop, and after the time the pod allows the end."""
        if process.poll() is not None:
            return
        began = time.monotonic()
        allowed = self.asked if self.asked is not None else self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        before = container.get("lifecycle", {}).get("preStop", {})
        if before and "sleep" not in before:
            raise NotImplementedError(f"preStop of this sort: {before}")
        time.sleep(min(before.get("sleep", {}).get("seconds", 0), allowed))
        paused = time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        killed = False
        try:
            process.wait(max(allowed - paused, 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed = True
        self.stops.append((container["name"], time.monotonic() - began - paused, killed))

    def forget(self):
        """Tells the API server that nothing of it runs any more."""
        if self.node.closing:
            return
        try:
            self.api.call("DELETE", self.path, {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}, missing=True)
        except ApiError as error:
            if error.status != 409:
                raise

    def report(self, phase, **why):
        """Writes the status, if it changed."""
        spec = self.pod["spec"]
        condition = lambda kind, holds: {"type": kind, "status": "True" if holds else "False"}  # noqa: E731
        begun = phase in ("Running", "Succeeded", "Failed")
        conditions = [condition("PodScheduled", True), condition("Initialized", begun),
                      condition("ContainersReady", self.ready), condition("Ready", self.ready)]
        status = {"phase": phase, "conditions": conditions, "podIP": self.address, "podIPs": [{"ip": self.address}],
                  "startTime": self.begun,
                  "reason": None, "message": None} | why
        for key, containers in (("initContainerStatuses", spec.get("initContainers", [])),
                                ("containerStatuses", spec["containers"])):
            status[key] = [self.container_status(one) for one in containers]
        if status == self.reported:
            return
        written = json.loads(json.dumps(status))
        for one in written["conditions"]:
            one["lastTransitionTime"] = now()
        try:
            self.api.patch(f"{self.path}/status", {"metadata": {"uid": self.uid}, "status": written}, missing=True)
            self.reported = status
        except ApiError as error:
            # Gone, and another one of the name there; or another look is taken in a moment.
            if error.status not in (409, 422):
                raise

    def container_status(self, container):
        name = container["name"]
        state = self.states.get(name, {"waiting": {"reason": "ContainerCreating"}})
        return {"name": name, "image": container["image"], "imageID": container["image"],
                "ready": self.ready and "running" in state,
                "started": "running" in state, "restartCount": self.restarts.get(name, 0), "state": state}


class Ended(Exception):
    """The pod is to end."""


def terminated(process):
    code = process.returncode
    reason = "Completed" if code == 0 else "Error"
    return {"terminated": {"exitCode": 128 - code if code < 0 else code, "reason": reason, "finishedAt": now(),
                           "startedAt": now()}}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
