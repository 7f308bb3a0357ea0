"""kubectl, helm and svcat on a cluster."""

import json
import os
import subprocess
import time

from settings import CHART
from steps import Wrong


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
    try:
        ran = subprocess.run([tool, *map(str, words)], input=given, env=environment, text=True, capture_output=True,
                             timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Wrong(f"{' '.join(map(str, words))}: not done after {timeout} s") from None
    if (ran.returncode == 0) != good:
        raise Wrong(f"{' '.join(map(str, words))}: exit status {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return ran.stdout if good else ran.stderr + ran.stdout


class Client:
    """Whatever it runs is part of the cluster's world."""

    def __init__(self, of, base=os.environ):
        self.cluster = of
        self.environment = of.environment(base) | {"KUBECONFIG": str(of.kubeconfig), "HOME": str(of.directory)}

    def run(self, tool, *words, **options):
        return run(str(self.cluster.bin / tool), *words, environment=self.environment, **options)

    def begin(self, tool, *words):
        """The process, with what it says to be read at its end."""
        return subprocess.Popen([self.cluster.bin / tool, *map(str, words)], env=self.environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def kubectl(self, *words, **options):
        return self.run("kubectl", *words, **options)

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "--output", "json"))

    def apply(self, *objects, user="admin", good=True):
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "--context", user, "--filename", "-", given=json.dumps(listed), good=good)

    def helm(self, verb, name, namespace, *several, good=True, flags=(), timeout=300):
        place = () if verb == "uninstall" else (CHART, "--values", "-")
        return self.run("helm", verb, name, *place, "--namespace", namespace, *flags, given=json.dumps(merged(*several)),
                        good=good, timeout=timeout)


def until(what, holds, seconds=60, pause=0.1):
    """Waits until it holds, and gives what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            raise Wrong(f"not within {seconds} s: {what}")
        time.sleep(pause)
