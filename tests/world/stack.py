"""The servers that `dev` and `demo` start: PostgreSQL, the AWS stand-in, a migrated broker; with K8S=1 a Kubernetes API
server on which the chart is installed. What the environment gives is used, and not started. README.md lists the variables."""

import hashlib
import re
import textwrap
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import aws
import broker
import cluster
import postgres
import programs
import release
from settings import CATALOG, DEFAULT_ACCOUNT, DEFAULT_REGION, Refusal, given, without_aws
from show import Clock
from steps import Wrong

LOGIN = "login"


class Stack:
    """Where everything is, and who may come in."""

    def __init__(self):
        self.username = given("CHANDLERY_DEV_USERNAME") or "dev"
        self.password = given("CHANDLERY_DEV_PASSWORD")
        self.url = self.database_url = self.endpoint = self.account = self.region = None
        self.environment = None  # the broker's
        self.own_aws = not given("AWS_ENDPOINT_URL")
        self.release = self.log = None

    def described(self):
        result = {"url": self.url, "username": self.username, "password": self.password,
                "aws_endpoint_url": self.endpoint, "database_url": self.database_url}
        if self.release:
            cluster = self.release.cluster.described()
            result |= {key: cluster[key] for key in ("kubeconfig", "bin")}
        return result

    def logs(self):
        return self.release.kubelet.logs if self.release else self.log

    def said(self):
        """The end of the servers' logs."""
        logged = self.log.read_text(errors="replace")[-4000:] if self.log else ""
        return logged + (self.release.kubelet.said() if self.release else "")


@contextmanager
def timed(title):
    """A step, for whoever is not shown any."""
    clock = Clock()
    yield
    tell(f"{title}: {clock.seconds():.1f} s")


@contextmanager
def started(world, log=None, step=timed):
    """All of it, ready, for as long as the block runs. Logs go to `log`, else to standard error."""
    if given("K8S") in (None, "0"):
        yield start(world, log)
    else:
        with installed(world, log, step) as stack:
            yield stack


def build(world):
    clock = Clock()
    program = broker.build(world)
    tell(f"built the broker in {clock.seconds():.1f} s")
    return program


def start(world, log):
    """Returns when the broker serves its catalog."""
    stack, program, began = Stack(), build(world), time.monotonic()
    stack.log = log
    standin = aws.begin(world, log) if stack.own_aws else None
    stack.database_url = database(world)
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


@contextmanager
def installed(world, log, step):
    """As `start`, with the chart's pods in the place of the broker."""
    if release.unable():
        raise Refusal(f"K8S=1: {release.unable()}")
    stack, program = Stack(), build(world)
    stack.log = log
    programs.find(world)
    with step("Start PostgreSQL, the AWS stand-in and a Kubernetes API server"):
        servers = cluster.begin(world)
        standin = aws.begin(world, log) if stack.own_aws else None
        stack.database_url = database(world)
        stack.environment = amazon(stack, world.environment, aws.ready(standin) if standin else None)
        if "AWS_ACCESS_KEY_ID" not in stack.environment:
            raise Refusal("K8S=1 with an AWS_ENDPOINT_URL of your own needs its AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
        cluster.ready(world, servers)
    with release.Release(world, servers, program, stack.database_url, stack.environment, stack.account) as stack.release:
        with step("Install the chart with helm"):
            install(stack)
        yield stack


def install(stack):
    stack.password = stack.password or broker.new_password()
    stack.release.put_secret(LOGIN, {"username": stack.username, "password": stack.password})
    digest = hashlib.sha256(stack.password.encode()).hexdigest()
    # Without TLS, as the broker that `start` starts: nothing leaves this machine. Nobody needs root for such a port.
    port = int((given("CHANDLERY_LISTEN") or "").rpartition(":")[2] or postgres.free_port())
    values = {"registration": {"username": stack.username, "existingSecret": LOGIN, "passwordSha256": digest},
              "tls": {"mode": "none"}, "broker": {"service": {"port": port}}}
    if given("CHANDLERY_CATALOG"):
        offerings = sorted(Path(given("CHANDLERY_CATALOG")).glob("*.yaml"))
        values["catalog"] = {"offerings": {file.name: file.read_text() for file in offerings}}
    flags = release.WAIT
    if given("CHANDLERY_POLICY"):
        # As it is: the chart adds the platform of the registration.
        text = Path(given("CHANDLERY_POLICY")).read_text().removeprefix("---\n")
        file = stack.release.cluster.directory / "policy-values.yaml"
        file.write_text("policy:\n  content:\n" + textwrap.indent(text, "    "))
        stack.release.values["policy"] = {"content": {}}
        flags += ("--values", file)
    try:
        stack.release.helm("install", values, flags=flags)
        stack.release.until_registered()
        stack.url = f"http://{stack.release.address()}:{port}"
    except Wrong as wrong:
        raise Refusal(f"The chart cannot be installed: {wrong}\n{stack.said()[-8000:]}") from None


def database(world):
    return given("DATABASE_URL") or postgres.start(world, durable=True).url


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
