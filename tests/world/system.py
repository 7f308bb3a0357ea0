"""What a bare Debian or Ubuntu lacks: found, installed with apt-get where we may, else named in one sentence."""

import os
import shutil
import subprocess
import sys

from settings import Refusal

updated = False


def install(packages, purpose):
    """apt-get install as root or through sudo; a Refusal that says what to install where neither is possible."""
    global updated
    sentence = f"Missing: {purpose}; install it (Debian, Ubuntu: sudo apt-get install {' '.join(packages)}) and try again."
    become = root_prefix()
    if shutil.which("apt-get") is None or become is None:
        raise Refusal(sentence)
    print(f"Missing: {purpose}; installing {' '.join(packages)}", file=sys.stderr)
    apt = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    if not updated:
        subprocess.run([*apt, "update"], stdout=sys.stderr)
        updated = True
    if subprocess.run([*apt, "install", "-y", "--no-install-recommends", *packages], stdout=sys.stderr).returncode:
        raise Refusal(sentence)


def root_prefix():
    """The words that make a command root's: none as root, sudo where it works, None where nothing does."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if sys.stdin.isatty():
        return ["sudo"]
    return ["sudo", "-n"] if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0 else None


def need_rust():
    if shutil.which("cargo") is None:
        raise Refusal("Rust is missing; install it with rustup (https://rustup.rs) and try again.")


def compiler_lacks():
    """{what is missing: its Debian packages}"""
    return {} if shutil.which("cc") else {"a C compiler": ["gcc", "libc6-dev"]}


def need_compiler():
    need_rust()
    for purpose, packages in compiler_lacks().items():
        install(packages, purpose)


def need_component(command, component):
    """A part of the toolchain (rustfmt, clippy) that minimal installations leave out."""
    if subprocess.run(["cargo", command, "--version"], capture_output=True).returncode == 0:
        return
    if shutil.which("rustup") and subprocess.run(["rustup", "component", "add", component]).returncode == 0:
        return
    raise Refusal(f"cargo {command} is missing; install it (rustup component add {component}) and try again.")
