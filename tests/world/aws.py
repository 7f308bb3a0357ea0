"""The AWS stand-in (tests/aws) and the Python environment with the packages it pins."""

import fcntl
import hashlib
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import time

from settings import CACHE, STANDIN, Refusal, without_aws
from system import install


PURPOSE = "Python's venv module"
PACKAGES = ["python3-venv"]


class Python:
    """An interpreter that sees the pinned packages."""

    def __init__(self, program, path):
        self.program, self.path = program, path

    def environment(self, base):
        # Our own modules first; a person's PYTHONPATH could bring other versions.
        return base | {"PYTHONPATH": os.pathsep.join([str(STANDIN), *self.path]), "PYTHONNOUSERSITE": "1"}


class Standin:
    def __init__(self, endpoint, insecure_endpoint):
        self.endpoint, self.insecure_endpoint = endpoint, insecure_endpoint


def admin_key(account):
    """The key that the stand-in takes for an account's administrator, with any secret."""
    return {"AWS_ACCESS_KEY_ID": f"AKIA{account}ROOT", "AWS_SECRET_ACCESS_KEY": "stand-in"}


def begin(world, log=None):
    """Starts the stand-in without waiting for it: it needs seconds to load moto."""
    errors = open(log, "ab") if log else None
    python = interpreter()
    environment = python.environment(without_aws(world.environment))
    return world.start("The AWS stand-in", [python.program, "-m", "standin", "--port", "0"], env=environment,
                       cwd=STANDIN, stdout=subprocess.PIPE, stderr=errors)


def ready(child, seconds=90):
    """Waits until it says where it listens."""
    end, line, output = time.monotonic() + seconds, b"", child.process.stdout.fileno()
    while not line.endswith(b"\n") and time.monotonic() < end:
        if select.select([output], [], [], 0.5)[0]:
            piece = os.read(output, 4096)
            if not piece:
                break
            line += piece
    try:
        said = json.loads(line)
    except ValueError:
        raise Refusal(f"The AWS stand-in did not start (it said: {line.decode(errors='replace')!r}).") from None
    return Standin(said["endpoint"], said["insecure_endpoint"])


def interpreter():
    """Makes the environment once per content of requirements.txt (half a minute) and finds it again."""
    wanted = STANDIN / "requirements.txt"
    if not wanted.exists():
        raise Refusal(f"The AWS stand-in is not in this checkout ({wanted} is missing).")
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home, done = CACHE / f"venv-{digest}", CACHE / f"venv-{digest}" / "complete"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            print("Installing the AWS stand-in's Python packages (once)", file=sys.stderr)
            shutil.rmtree(home, ignore_errors=True)
            done.parent.mkdir(exist_ok=True)
            pip_install(home, wanted)
            done.touch()
    if (home / "bin" / "python").exists():
        return Python(str(home / "bin" / "python"), [])
    return Python(sys.executable, [str(home / "packages")])


def lacks():
    """{what is missing: its Debian packages}. Debian's Python comes without what fills a new venv with pip."""
    return {} if importlib.util.find_spec("ensurepip") else {PURPOSE: PACKAGES}


def pip_install(home, wanted):
    """Into a venv; where Python comes without venv, beside it, with the system's pip."""
    quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r", str(wanted)]
    if not make_venv(home):
        try:
            install(PACKAGES, PURPOSE)
        except Refusal:
            if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
                raise
    python = home / "bin" / "python"
    if python.exists() or make_venv(home):
        command = [str(python), *quiet]
    else:
        command = [sys.executable, *quiet, "--target", str(home / "packages")]
    if subprocess.run(command, stdout=sys.stderr).returncode:
        raise Refusal(f"pip could not install {wanted}: see above. It needs a Python package index.")


def make_venv(home):
    made = subprocess.run([sys.executable, "-m", "venv", str(home)], capture_output=True).returncode == 0
    if not made:
        shutil.rmtree(home / "bin", ignore_errors=True)
    return made
