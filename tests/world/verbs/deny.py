"""deny: cargo-deny over the dependency tree by deny.toml. The advisory database has to be fetched; where it cannot be,
that check is not made, and this says so."""

import os
import shutil
import subprocess
import sys

from settings import ROOT, TARGET, Refusal
from system import need_compiler

VERSION = "0.20.2"
HOME = TARGET / "tools"


def main(_arguments):
    deny = [program(), "--locked", "--all-features"]
    if run([*deny, "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]):
        return 1
    try:
        fetched = run([*deny, "fetch", "db"], timeout=120, stderr=subprocess.DEVNULL) == 0
    except subprocess.TimeoutExpired:
        fetched = False
    if not fetched:
        print("NOT CHECKED: advisories (the database at github.com/RustSec/advisory-db cannot be fetched from here)")
        return 0
    return run([*deny, "check", "--disable-fetch", "advisories"])


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"}, **options).returncode


def program():
    """cargo-deny of the pinned version: the machine's, or built once (a minute) under target/tools."""
    for found in (shutil.which("cargo-deny"), HOME / "bin" / "cargo-deny"):
        if found and VERSION in subprocess_output([found, "--version"]):
            return str(found)
    need_compiler()
    print(f"Building cargo-deny {VERSION} (once)", file=sys.stderr)
    # Unoptimised: it is built in half the time and takes four seconds for our tree.
    command = ["cargo", "install", "--quiet", "--locked", "--debug", "--root", str(HOME), "--version", VERSION, "cargo-deny"]
    environment = os.environ | {"CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_TARGET_DIR": str(HOME / "build")}
    if subprocess.run(command, env=environment).returncode:
        raise Refusal("cargo-deny could not be built: see above.")
    shutil.rmtree(HOME / "build", ignore_errors=True)
    return str(HOME / "bin" / "cargo-deny")


def subprocess_output(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return ""
