"""How the pinned programs are told their versions, as their projects' own builds do it."""

import re

from settings import TOOLS

# folder of TOOLS: the Go module that its programs are of
MODULES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubernetes": "k8s.io/kubernetes",
    "helm": "helm.sh/helm/v3",
    "svcat": "github.com/kubernetes-sigs/service-catalog",
}


def flags(module):
    """go build's. Without their versions the server calls itself v0.0.0-master+$Format:%H$, which no client can parse."""
    said = stamps(module).items()
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags=-s -w {' '.join(f'-X {k}={v}' for k, v in said)}"]


def stamps(module):
    """{variable: text}"""
    if module == "kubernetes":
        return kubernetes_stamps()
    if module == "helm":
        # Helm renders for the version that its libraries speak, unless a cluster says another.
        minor = required(module, "k8s.io/client-go").split(".")[1]
        ours = "helm.sh/helm/v3"
        sides = {f"{ours}/pkg/{side}.k8sVersion{part}": value for side in ("chartutil", "lint/rules")
                 for part, value in (("Major", "1"), ("Minor", minor))}
        return sides | {f"{ours}/internal/version.version": version(module), f"{ours}/internal/version.metadata": ""}
    if module == "svcat":
        return {"github.com/kubernetes-sigs/service-catalog/pkg.VERSION": version(module)}
    return {}


def kubernetes_stamps():
    said = version("kubernetes")
    major, minor, _ = said[1:].split(".")
    values = {"gitVersion": said, "gitMajor": major, "gitMinor": minor, "gitTreeState": "archive",
              "gitCommit": "unknown", "buildDate": "1970-01-01T00:00:00Z"}
    places = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return {f"{place}.{name}": value for place in places for name, value in values.items()}


def version(module):
    """The version that the module's go.mod requires of its program."""
    return required(module, MODULES[module])


def required(module, path):
    text = (TOOLS / module / "go.mod").read_text()
    return re.search(rf"^(?:require)?\s+{re.escape(path)} (v\S+)", text, re.MULTILINE)[1]
