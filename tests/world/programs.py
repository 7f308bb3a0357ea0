"""The Kubernetes programs that the tests run: a person's own (KUBEBUILDER_ASSETS), else built once from pinned Go modules.

Debian's are too old, and what a machine has on PATH may be any version: neither is looked for. Each program is kept in the
user's cache under the digest of what it is built from, so that checkouts share it and another version is another file.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import golang
from settings import TOOLS, Refusal, given
from stamps import MODULES, flags, version

# name: (folder of TOOLS, package of its module)
PROGRAMS = {
    "etcd": ("etcd", ""),
    "kube-apiserver": ("kubernetes", "/cmd/kube-apiserver"),
    "kube-controller-manager": ("kubernetes", "/cmd/kube-controller-manager"),
    "kubectl": ("kubernetes", "/cmd/kubectl"),
    "helm": ("helm", "/cmd/helm"),
    "svcat": ("svcat", "/cmd/svcat"),
}
# What setup-envtest and kubebuilder put into such a folder, by their own words.
ASSETS = ("etcd", "kube-apiserver", "kubectl")


def find(world):
    """{name: path} of all programs. What has to be built takes about ten minutes on two cores, once."""
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
    print("Removing what only the builds needed (gigabytes)", file=sys.stderr, flush=True)
    shutil.rmtree(scratch, ignore_errors=True)


def build_one(world, go, name, path, which):
    module, package = PROGRAMS[name]
    print(f"Building {name} {version(module)} (once; {which})", file=sys.stderr, flush=True)
    began = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{name}.half")
    command = [go.program, "build", *flags(module), "-o", half, MODULES[module] + package]
    # It names every module that it downloads: hundreds of lines that matter only if it fails.
    status, output = world.run("go", command, cwd=TOOLS / module, env=go.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if status:
        print(output.decode(errors="replace"), file=sys.stderr)
        raise Refusal(f"{name} could not be built: see above. It needs a Go module proxy and 6 GB of disk in {cache()}.")
    half.replace(path)
    minutes, seconds = divmod(time.monotonic() - began, 60)
    print(f"Built {name} in {minutes:.0f} min {seconds:.0f} s", file=sys.stderr, flush=True)
