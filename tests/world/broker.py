"""The program under our hands: built, given a policy and a master key, migrated, served, asked whether it answers."""

import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
import urllib.error
from pathlib import Path

from osb import Osb
from process import wait_until
from settings import ROOT, Refusal, given
from system import need_compiler

POLICY = """\
# {origin}
platforms:
  - name: {platform}
    credentials:
      - {{ username: {username}, password_sha256: {digest} }}
targets:
  - {{ name: main, account: "{account}", region: {region}, partition: {partition} }}
default_target: main
"""
# Bindings may put their permissions on any role there. Right for the stand-in; in a real account a list of roles.
ANY_ROLE = """\
rules:
  - match: {{ platform: {platform} }}
    allow:
      role: ["arn:{partition}:iam::{account}:role/*"]
"""


def build(world, release=False, what=("--bin", "chandlery"), named="CHANDLERY_BIN"):
    """The program's path. The variable `named` names one that is already built; else cargo builds it (nothing to do if
    fresh)."""
    if given(named):
        program = Path(given(named)).absolute()
        if not os.access(program, os.X_OK):
            raise Refusal(f"{named} names {program}, which is not a program; build it, or unset {named}.")
        return program
    need_compiler()
    command = ["cargo", "build", "--locked", *what, "--message-format", "json-render-diagnostics"]
    # A DATABASE_URL of the environment is for the program, not for the macros that check its SQL.
    environment = os.environ | {"SQLX_OFFLINE": "true"}
    status, said = world.run("cargo", command + ["--release"] * release, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    if status:
        raise Refusal("The broker does not build: see above.")
    built = [json.loads(line).get("executable") for line in said.splitlines() if line.startswith(b"{")]
    return Path([b for b in built if b][-1])


def write_secret(path, text):
    """A file that only we can read, from its first byte on."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


def write_policy(path, origin, username, password, account, region, partition="aws", any_role=False):
    """A policy with one platform, one credential and one target."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    words = {"platform": "main", "username": json.dumps(username), "region": json.dumps(region), "partition": partition}
    text = (POLICY + ANY_ROLE * any_role).format(origin=origin, digest=digest, account=account, **words)
    return write_secret(path, text)


def write_master_key(path):
    return write_secret(path, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")


def new_password():
    return secrets.token_urlsafe(18)


def migrate(world, program, environment):
    status, _ = world.run("chandlery migrate", [program, "migrate"], env=environment, stdout=sys.stderr)
    if status:
        raise Refusal(f"{program} migrate failed (exit status {status}): see above.")


def serve(world, program, environment, url, username, password, log=None):
    """Starts a broker and waits until it serves its catalog. Its log goes to `log`, else to standard error."""
    output = open(log, "ab") if log else sys.stderr
    child = world.start("The broker", [program, "serve"], env=environment, stdout=output, stderr=output, cwd=ROOT)

    def answers():
        try:
            status = Osb(url, username, password, timeout=5).get("/v2/catalog").status
        except (urllib.error.URLError, OSError):
            return False
        return status == 200 or (status == 401 and password is None)

    if not wait_until(answers, child, 60, "The broker"):
        child.stop()
        said = Path(log).read_text(errors="replace")[-3000:] if log else "see above"
        raise Refusal(f"The broker does not serve its catalog at {url}: {said}")
    return child
