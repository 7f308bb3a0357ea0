"""The servers that `dev` and `demo` start: PostgreSQL, the AWS stand-in, a migrated broker. What the environment gives is
used, and not started. README.md lists the variables."""

import re
import sys
import time

import aws
import broker
import postgres
from settings import CATALOG, DEFAULT_ACCOUNT, DEFAULT_REGION, Refusal, given, without_aws


class Stack:
    """Where everything is, and who may come in."""

    def __init__(self):
        self.username = given("CHANDLERY_DEV_USERNAME") or "dev"
        self.password = given("CHANDLERY_DEV_PASSWORD")
        self.url = self.database_url = self.endpoint = self.account = self.region = None
        self.environment = None  # the broker's
        self.own_aws = not given("AWS_ENDPOINT_URL")

    def described(self):
        return {"url": self.url, "username": self.username, "password": self.password,
                "aws_endpoint_url": self.endpoint, "database_url": self.database_url}


def start(world, log=None):
    """Starts all of it and returns when the broker serves its catalog. Logs go to `log`, else to standard error."""
    stack, began = Stack(), time.monotonic()
    program = broker.build(world)
    tell(f"built the broker in {time.monotonic() - began:.1f} s")

    began = time.monotonic()
    standin = aws.begin(world, log) if stack.own_aws else None
    stack.database_url = given("DATABASE_URL") or postgres.start(world, durable=True).url
    environment = amazon(stack, world.environment, aws.ready(standin) if standin else None)
    environment |= {"DATABASE_URL": stack.database_url, "CHANDLERY_CATALOG": given("CHANDLERY_CATALOG") or str(CATALOG)}
    if not (given("CHANDLERY_MASTER_KEY_FILE") or given("CHANDLERY_MASTER_KEY_KMS")):
        environment["CHANDLERY_MASTER_KEY_FILE"] = str(broker.write_master_key(world.directory / "master.key"))
    environment["CHANDLERY_POLICY"] = policy(stack, world)
    environment["CHANDLERY_LISTEN"] = listen = given("CHANDLERY_LISTEN") or f"127.0.0.1:{postgres.free_port()}"
    stack.url = "http://" + re.sub(r"^(0\.0\.0\.0|\[::\])(?=:)", "127.0.0.1", listen)
    stack.environment = environment

    broker.migrate(world, program, environment)
    broker.serve(world, program, environment, stack.url, stack.username, stack.password, log)
    tell(f"started the servers in {time.monotonic() - began:.1f} s")
    return stack


def amazon(stack, environment, standin):
    """The broker's environment for AWS: the stand-in's, or the one we were given."""
    key = given("AWS_ACCESS_KEY_ID") or ""
    named = re.fullmatch(r"AKIA(\d{12})ROOT", key)
    stack.account = given("CHANDLERY_DEV_ACCOUNT") or (named[1] if named and not standin else DEFAULT_ACCOUNT)
    stack.region = given("AWS_REGION") or given("AWS_DEFAULT_REGION") or DEFAULT_REGION
    stack.endpoint = standin.endpoint if standin else given("AWS_ENDPOINT_URL")
    if not re.fullmatch(r"\d{12}", stack.account):
        raise Refusal("CHANDLERY_DEV_ACCOUNT must be an AWS account's twelve digits.")
    if standin:
        environment = without_aws(environment)
    if standin or not (key or given("AWS_PROFILE")):
        environment = environment | aws.admin_key(stack.account)
    # botocore reads the second name only.
    return environment | {"AWS_ENDPOINT_URL": stack.endpoint, "AWS_REGION": stack.region, "AWS_DEFAULT_REGION": stack.region}


def policy(stack, world):
    if given("CHANDLERY_POLICY"):
        # Only its author knows the password.
        return given("CHANDLERY_POLICY")
    stack.password = stack.password or broker.new_password()
    path, origin = world.directory / "policy.yaml", "Written by tests/world for this run."
    return str(broker.write_policy(path, origin, stack.username, stack.password, stack.account, stack.region, any_role=True))


def tell(text):
    print(f"world: {text}", file=sys.stderr, flush=True)
