"""Brokers, databases and the load program of one benchmark run."""

import json
import secrets
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

import broker
import machine
import postgres
from osb import Osb
from process import Child
from settings import CATALOG

REGION = "eu-central-1"
USERNAME = "bench"


class House:
    def __init__(self, environment):
        self.environment = dict(environment)
        self.program, self.load = environment["CHANDLERY_BIN"], environment["CHANDLERY_BENCH_LOAD"]
        self.server_url, self.aws_url = environment["DATABASE_URL"], environment["CHANDLERY_TEST_AWS_URL"]
        self.psql_program = postgres.find() / "psql"
        self.password = broker.new_password()
        self.children = []

    def __enter__(self):
        self.directory = TemporaryDirectory(prefix="chandlery-bench-")
        self.home = Path(self.directory.name)
        self.master = broker.write_master_key(self.home / "master.key")
        self.driver = Program(self, "drive")
        self.empty = Program(self, "empty")
        self.empty_address = self.empty.read()["address"]
        self.postmaster = int(self.psql("SELECT pg_read_file('postmaster.pid')").split()[0])
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.stop(patience=5)
        self.directory.cleanup()

    def start(self, name, argv, **options):
        child = Child(name, [str(word) for word in argv], **options)
        self.children.append(child)
        return child

    def database(self):
        """The URL of a new, migrated database."""
        name = f"bench_{secrets.token_hex(4)}"
        self.psql(f"CREATE DATABASE {name}")
        url = self.server_url.rsplit("/", 1)[0] + f"/{name}"
        broker_environment = self.environment | {"DATABASE_URL": url}
        subprocess.run([self.program, "migrate"], env=broker_environment, check=True, stdout=subprocess.DEVNULL)
        return url

    def psql(self, sql, url=None):
        """Rows as text, columns separated by `|`."""
        argv = [self.psql_program, "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url or self.server_url]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def replica(self, database, account=None, **settings):
        """A broker that serves."""
        return Replica(self, database, account or self.account(), settings)

    @staticmethod
    def account():
        return f"{secrets.randbelow(10**12):012}"

    def drive(self, replica, method, paths, *, connections, seconds, body=None, count=None, rate=None):
        """Puts load on a broker; what came of it. Any answer that is no success is an error."""
        headers = [f"{name}: {value}" for name, value in replica.osb.headers.items() if name != "Content-Type"]
        job = {"address": replica.address, "method": method, "paths": paths, "headers": headers, "connections": connections,
               "seconds": seconds, "count": count, "rate": rate, "body": json.dumps(body) if body else ""}
        busy = {"broker": [replica.child.process.pid], "database": machine.children(self.postmaster),
                "client": [self.driver.child.process.pid]}
        before = {name: machine.cpu_seconds(*pids) for name, pids in busy.items()}
        figures = checked(self.driver.ask(job), job)
        used = {name: machine.cpu_seconds(*pids) - before[name] for name, pids in busy.items()}
        return figures | {f"{name}_cpu_us": seconds * 1e6 / figures["requests"] for name, seconds in used.items()}

    def drive_empty(self, connections, seconds):
        job = {"address": self.empty_address, "method": "GET", "paths": ["/"], "connections": connections, "seconds": seconds}
        return checked(self.driver.ask(job), job)

    def aws(self, method, path, body=None):
        """The stand-in's control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.aws_url}/_standin/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def aws_calls(self, account):
        return self.aws("GET", f"accounts/{account}/calls")["total"]


def checked(figures, job):
    failed = {status: times for status, times in figures["statuses"].items() if not status.startswith("2")}
    if failed or not figures["requests"]:
        raise RuntimeError(f"{job['method']} {job['paths'][0]} was answered {failed or 'never'}")
    return figures


class Program:
    """The load program in one of its modes: a line of JSON in, a line of JSON out."""

    def __init__(self, house, mode):
        self.child = house.start(f"load {mode}", [house.load, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self):
        line = self.child.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {self.child.name} program ended: see above")
        return json.loads(line)

    def ask(self, job):
        self.child.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.child.process.stdin.flush()
        return self.read()


class Replica:
    """One broker process."""

    def __init__(self, house, database, account, settings):
        self.house, self.account, self.database = house, account, database
        self.address = f"127.0.0.1:{postgres.free_port()}"
        self.osb = Osb(f"http://{self.address}", USERNAME, house.password)
        policy = house.home / f"policy-{account}.yaml"
        broker.write_policy(policy, "Written by tests/bench.", USERNAME, house.password, account, REGION)
        environment = house.environment | {
            "DATABASE_URL": database, "CHANDLERY_CATALOG": str(CATALOG), "CHANDLERY_POLICY": str(policy),
            "CHANDLERY_MASTER_KEY_FILE": str(house.master), "CHANDLERY_LISTEN": self.address,
            "AWS_ENDPOINT_URL": house.aws_url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": f"AKIA{account}ROOT",
            "AWS_SECRET_ACCESS_KEY": "stand-in"} | settings
        self.log = house.home / f"broker-{self.address[10:]}.log"
        with self.log.open("wb") as log:
            began = time.perf_counter()
            self.child = house.start("broker", [house.program, "serve"], env=environment, stdout=log, stderr=log)
        self.seconds_to_catalog = self.wait(began)
        self.ids = self.find_ids()

    def wait(self, began):
        while True:
            try:
                if self.osb.get("/v2/catalog").status == 200:
                    return time.perf_counter() - began
            except OSError:
                pass
            if not self.child.running():
                raise RuntimeError(f"the broker ended: {self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.001)

    def find_ids(self):
        services = self.osb.get("/v2/catalog").body["services"]
        bucket = next(service for service in services if service["name"] == "s3-bucket")
        plan = next(plan for plan in bucket["plans"] if plan["name"] == "standard")
        return {"service_id": bucket["id"], "plan_id": plan["id"]}

    def provision_body(self):
        return self.ids | {"organization_guid": "org", "space_guid": "space", "parameters": {},
                           "context": {"platform": "kubernetes", "namespace": "team-a", "instance_name": "mine", "clusterid": "c"}}

    def provision(self, instance):
        """Orders a bucket; returns when last_operation says that it succeeded."""
        path = f"/v2/service_instances/{instance}"
        answer = self.osb.put(path, self.provision_body(), accepts_incomplete="true")
        if answer.status != 202:
            raise RuntimeError(answer.sentence())
        self.settle(instance, answer.body["operation"])

    def settle(self, instance, operation):
        while True:
            state = self.osb.get(f"/v2/service_instances/{instance}/last_operation", operation=operation).body.get("state")
            if state == "succeeded":
                return
            if state != "in progress":
                raise RuntimeError(f"the provision is {state}: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.002)

    def bind(self, instance, binding):
        answer = self.osb.put(f"/v2/service_instances/{instance}/service_bindings/{binding}", self.ids | {"parameters": {}})
        if answer.status != 201:
            raise RuntimeError(answer.sentence())

    def rss_mib(self):
        with open(f"/proc/{self.child.process.pid}/status") as file:
            line = next(line for line in file if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def connections(self):
        name = self.database.rsplit("/", 1)[1]
        return int(self.house.psql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'chandlery'"))

    def stop(self):
        self.child.stop()

    def kill(self):
        self.child.process.send_signal(signal.SIGKILL)
        self.child.process.wait()
