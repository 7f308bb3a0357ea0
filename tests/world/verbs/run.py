"""run: a broker on one's own database and AWS account. What it makes (policy, password, master key) is kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import aws
import broker
from settings import CATALOG, ROOT, Refusal, given
from world import World

USERNAME = "broker"


def main(_arguments):
    if not given("DATABASE_URL"):
        raise Refusal("DATABASE_URL is missing; set it to the broker's database (postgres://user:password@host/name).")
    who = who_pays()
    home = Path(given("CHANDLERY_HOME") or ROOT / ".chandlery").absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = os.environ | {"AWS_REGION": who["region"], "CHANDLERY_CATALOG": given("CHANDLERY_CATALOG") or str(CATALOG)}
    environment["CHANDLERY_POLICY"] = given("CHANDLERY_POLICY") or str(policy(home, who))
    if not given("CHANDLERY_MASTER_KEY_KMS"):
        environment["CHANDLERY_MASTER_KEY_FILE"] = given("CHANDLERY_MASTER_KEY_FILE") or str(master_key(home))
    with World() as world:
        program = broker.build(world, release=True)
        broker.migrate(world, program, environment)
    address = given("CHANDLERY_LISTEN") or "127.0.0.1:8080"
    print(f"Serving account {who['account']}, region {who['region']}, at http://{address}", file=sys.stderr)
    os.chdir(ROOT)
    # From here on this process is the broker: signals go to it.
    os.execve(program, [str(program), "serve"], environment)


def who_pays():
    """Account, partition and region, by the same rules as an AWS SDK's."""
    python = aws.interpreter()
    helper = ROOT / "tests" / "world" / "helpers" / "whoami.py"
    ran = subprocess.run([python.program, helper], env=python.environment(os.environ), stdout=subprocess.PIPE, check=True)
    found = json.loads(ran.stdout)
    if "error" in found:
        raise Refusal(f"AWS credentials are missing or do not work ({found['error']}); "
                      "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if not found["region"]:
        raise Refusal("The AWS region is missing; set AWS_REGION.")
    return found


def policy(home, who):
    path, word = home / "policy.yaml", home / "password"
    if not path.exists():
        broker.write_secret(word, broker.new_password() + "\n")
        broker.write_policy(path, "Made by make run. It is yours to edit; the broker reads it again when it changes.",
                            USERNAME, word.read_text().strip(), who["account"], who["region"], who["partition"])
        print(f"Made {path}; user name {USERNAME}, password in {word}", file=sys.stderr)
    return path


def master_key(home):
    path = home / "master.key"
    if not path.exists():
        broker.write_master_key(path)
        print(f"Made {path}: it opens every secret in the database. Keep a copy; without it they are lost.", file=sys.stderr)
    return path
