"""The Kubernetes programs that the tests run: a person's own (KUBEBUILDER_ASSETS), else built once, pinned, from Go modules.

Debian's are too old, and what a machine has on PATH may be any version: neither is looked for. Each program is kept in the
user's cache under the digest of what it is built from, so that checkouts share it and another version is another file.
"""

import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
from pathlib import Path

import golang
from settings import TOOLS, Refusal, given

# name: (module below TOOLS, package)
PROGRAMS = {
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": ("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kubectl": ("kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
    "helm": ("helm", "helm.sh/helm/v3/cmd/helm"),
    "svcat": ("svcat", "github.com/kubernetes-sigs/service-catalog/cmd/svcat"),
}
# What setup-envtest and kubebuilder put into such a folder, by their own words.
ASSETS = ("etcd", "kube-apiserver", "kubectl")


def find(world):
    """{name: path} of all programs. What has to be built takes about eight minutes on two cores, once."""
    found = assets() or {}
    kept = {name: place(name) for name in PROGRAMS if name not in found}
    if not all(path.exists() for path in kept.values()):
        with lock():
            build(world, {name: path for name, path in kept.items() if not path.exists()})
    return found | kept


def assets():
    folder = given("KUBEBUILDER_ASSETS")
    if not folder:
        return None
    found = {name: Path(folder, name).absolute() for name in PROGRAMS if os.access(Path(folder, name), os.X_OK)}
    lacking = [name for name in ASSETS if name not in found]
    if lacking:
        raise Refusal(f"KUBEBUILDER_ASSETS ({folder}) lacks {' and '.join(lacking)}; name a folder with "
                      f"{', '.join(ASSETS)} (setup-envtest use makes one), or unset it to have them built.")
    return found


def cache():
    base = given("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "chandlery", "kubernetes").absolute()


def place(name):
    """Where a program is kept: below the digest of its module and of how it is built."""
    module, _ = PROGRAMS[name]
    parts = [(TOOLS / module / file).read_bytes() for file in ("go.mod", "go.sum")]
    parts += [word.encode() for word in flags(module)]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    return cache() / f"{module}-{digest}" / name


class lock:
    """One build at a time on a machine, and a word to whoever waits for another's."""

    def __enter__(self):
        try:
            cache().mkdir(parents=True, exist_ok=True)
            self.file = (cache() / "lock").open("w")
        except OSError as error:
            raise Refusal(f"The cache for the Kubernetes programs cannot be made ({error}); set XDG_CACHE_HOME.") from None
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another process builds the Kubernetes programs; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def build(world, wanted):
    """Builds what another process has not built meanwhile. What was begun and interrupted goes on where it was."""
    wanted = {name: path for name, path in wanted.items() if not path.exists()}
    if not wanted:
        return
    scratch = cache() / "scratch"
    scratch.mkdir(exist_ok=True)
    go = golang.find(scratch)
    for number, (name, path) in enumerate(wanted.items(), 1):
        build_one(world, go, name, path, f"{number} of {len(wanted)}")
    shutil.rmtree(scratch, ignore_errors=True)


def build_one(world, go, name, path, which):
    module, package = PROGRAMS[name]
    print(f"Building {name} {version(module)} (once; {which})", file=sys.stderr, flush=True)
    began = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{name}.half")
    command = [go.program, "build", *flags(module), "-o", half, package]
    status, _ = world.run("go", command, cwd=TOOLS / module, env=go.environment)
    if status:
        raise Refusal(f"{name} could not be built: see above. It needs a Go module proxy and 6 GB of disk in {cache()}.")
    half.replace(path)
    minutes, seconds = divmod(time.monotonic() - began, 60)
    print(f"Built {name} in {minutes:.0f} min {seconds:.0f} s", file=sys.stderr, flush=True)


def flags(module):
    """go build's. Without their versions the server calls itself v0.0.0-master+$Format:%H$, which no client can parse."""
    said = stamps(module).items()
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags=-s -w {' '.join(f'-X {k}={v}' for k, v in said)}"]


def stamps(module):
    """{variable: text}, as the projects' own builds set them."""
    if module == "kubernetes":
        return kubernetes_stamps()
    if module == "helm":
        # Helm renders for the version that its libraries speak, unless a cluster says another.
        minor = re.search(r"k8s\.io/client-go v0\.(\d+)\.", (TOOLS / module / "go.mod").read_text())[1]
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
    package = next(package for of, package in PROGRAMS.values() if of == module)
    required = re.findall(r"^(?:require)?\s+(\S+) (v\S+)", (TOOLS / module / "go.mod").read_text(), re.MULTILINE)
    return next(found for path, found in required if f"{package}/".startswith(f"{path}/"))
