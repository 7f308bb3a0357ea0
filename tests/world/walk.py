"""The main job, step by step, as a platform does it: order, wait, bind, use, unbind, give back, look for remains."""

import json
import subprocess
import time
import urllib.error
import uuid
from contextlib import contextmanager

import aws
import remainder
from osb import Osb
from settings import ROOT, without_aws
from show import Clock

CLUSTER = "3f0a6d0c-2f5e-4d52-9d0c-0c0f5e3f7a11"
WANTED = {"bucket": "s3-bucket", "queue": "sqs-queue"}
# Bindings: what it is called here, of which instance, and a word that its bind parameter must offer.
BINDINGS = [("writer", "bucket", "read-write"), ("reader", "bucket", "read-only"), ("worker", "queue", "both")]
HELPERS = ROOT / "tests" / "world" / "helpers"


class Wrong(Exception):
    """A step did not do what it says."""


class Walk:
    def __init__(self, stack, screen):
        self.stack, self.screen, self.rows = stack, screen, []
        self.osb = Osb(stack.url, stack.username, stack.password)
        self.plans, self.credentials = {}, {}
        self.instances, self.bindings = {}, {}

    @property
    def good(self):
        return bool(self.rows) and all(ok for _, _, ok in self.rows)

    @contextmanager
    def step(self, title):
        """Shows, times and judges a step. What goes wrong is told, and the walk goes on to give back what it made."""
        self.screen.say()
        self.screen.step(title)
        clock, ok = Clock(), True
        try:
            yield
        except (Wrong, OSError, urllib.error.URLError, KeyError) as error:
            ok = False
            self.screen.failed(f"{error}" if isinstance(error, Wrong) else f"{type(error).__name__}: {error}")
        self.rows.append((title, clock.seconds(), ok))

    def run(self):
        before = remainder.inventory(self.stack)
        with self.step("Read the catalog"):
            self.read_catalog()
        if self.good:
            with self.step("Provision a bucket and a queue"):
                self.provision()
        if self.good:
            with self.step("Bind: credentials for applications"):
                self.bind()
        if self.good:
            with self.step("Use the credentials"):
                self.use()
        if self.bindings:
            with self.step("Unbind"):
                self.take_back("unbind", {
                    name: (f"{self.instance_path(owner)}/service_bindings/{guid}", owner)
                    for name, (guid, owner) in self.bindings.items()})
        if self.instances:
            with self.step("Deprovision"):
                self.take_back("deprovision", {name: (self.instance_path(name), name) for name in self.instances})
        with self.step("Look for remains in AWS"):
            self.compare(before, remainder.inventory(self.stack))
        return self.good

    def run_and_sum_up(self):
        good = self.run()
        self.screen.say()
        self.screen.table(self.rows)
        return good

    def read_catalog(self):
        answer = self.expect(self.osb.get("/v2/catalog"), 200)
        offerings = answer.body["services"]
        for offering in offerings:
            plans = ", ".join(p["name"] for p in offering["plans"])
            self.screen.note(f"{offering['name']}: {offering['description']} (plans: {plans})")
        for name, wanted in WANTED.items():
            offering = next((o for o in offerings if o["name"] == wanted), None)
            if offering is None:
                raise Wrong(f"the catalog has no offering {wanted}")
            plan = next((p for p in offering["plans"] if p["name"] == "standard"), offering["plans"][0])
            self.plans[name] = (offering["id"], plan)

    def provision(self):
        waits = {}
        for name, (service, plan) in self.plans.items():
            context = {"platform": "kubernetes", "namespace": "demo", "clusterid": CLUSTER, "instance_name": f"demo-{name}"}
            body = {"service_id": service, "plan_id": plan["id"], "organization_guid": CLUSTER, "space_guid": CLUSTER,
                    "context": context}
            self.instances[name] = str(uuid.uuid4())
            answer = self.osb.put(self.instance_path(name), body, accepts_incomplete="true")
            self.expect(answer, 202, 201)
            if answer.status == 202:
                waits[name] = self.poll_at(self.instance_path(name), name, answer)
        self.wait(waits)

    def bind(self):
        waits = {}
        for name, owner, word in BINDINGS:
            service, plan = self.plans[owner]
            guid = str(uuid.uuid4())
            path = f"{self.instance_path(owner)}/service_bindings/{guid}"
            body = {"service_id": service, "plan_id": plan["id"], "parameters": {self.parameter(owner, word): word}}
            self.bindings[name] = (guid, owner)
            answer = self.expect(self.osb.put(path, body, accepts_incomplete="true"), 202, 201, 200)
            if answer.status == 202:
                waits[name] = self.poll_at(path, owner, answer)
        self.wait(waits)
        for name, (guid, owner) in self.bindings.items():
            path = f"{self.instance_path(owner)}/service_bindings/{guid}"
            self.credentials[name] = self.expect(self.osb.get(path), 200).body["credentials"]
            self.screen.note(f"credentials of {name}:")
            for key, value in self.credentials[name].items():
                self.screen.note(f"    {key}: {shortened(key, value)}")

    def parameter(self, owner, word):
        """The bind parameter that offers this word, from the schema that the catalog serves."""
        schema = self.plans[owner][1]["schemas"]["service_binding"]["create"]["parameters"]
        for name, about in schema["properties"].items():
            if word in about.get("enum", []):
                return name
        raise Wrong(f"no bind parameter of the {owner}'s plan offers {word!r}")

    def use(self):
        python = aws.interpreter()
        given = {"endpoint": self.stack.endpoint, "bucket": self.credentials["writer"],
                 "reader": self.credentials["reader"], "queue": self.credentials["worker"]}
        # Nothing but the binding's credentials may help it.
        environment = python.environment(without_aws(self.stack.environment))
        helper = subprocess.Popen([python.program, HELPERS / "use_binding.py"], env=environment,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with helper:
            helper.stdin.write(json.dumps(given))
            helper.stdin.close()
            bad, clock, count = [], Clock(), 0
            for line in helper.stdout:
                deed, count = json.loads(line), count + 1
                text = f"{deed['what']}: {deed['detail']}"
                if deed["ok"]:
                    self.screen.done(text, clock.seconds())
                else:
                    self.screen.failed(text)
                    bad.append(deed["what"])
                clock = Clock()
        if bad or helper.returncode or not count:
            raise Wrong(f"not as it should be: {', '.join(bad) or 'the helper ended early'}")

    def take_back(self, verb, things):
        waits, refused = {}, []
        for name, (path, owner) in things.items():
            service, plan = self.plans[owner]
            answer = self.osb.delete(path, service_id=service, plan_id=plan["id"], accepts_incomplete="true")
            if answer.status == 202:
                waits[name] = self.poll_at(path, owner, answer)
            elif answer.status == 200:
                self.screen.done(f"{name}: {verb} done at once", 0)
            else:
                refused.append(f"{name}: {answer.sentence()}")
        self.wait(waits, refused, gone_is_good=True)

    def compare(self, before, after):
        left = [f"{kind} {name}" for kind, names in after.items() for name in names if name not in before.get(kind, [])]
        if left:
            raise Wrong(f"left behind: {', '.join(left)}")
        counted = ", ".join(f"{len(names)} {kind}" for kind, names in after.items())
        self.screen.note(f"{self.screen.good} nothing is left of what this walk made ({counted} in the account)")

    def instance_path(self, name):
        return f"/v2/service_instances/{self.instances[name]}"

    def expect(self, answer, *statuses):
        if answer.status not in statuses:
            raise Wrong(answer.sentence())
        return answer

    def poll_at(self, path, owner, answer):
        """Where and with what an operation is asked for."""
        service, plan = self.plans[owner]
        query = {"service_id": service, "plan_id": plan["id"], "operation": answer.body.get("operation")}
        return f"{path}/last_operation", {k: v for k, v in query.items() if v is not None}

    def wait(self, waits, failed=(), gone_is_good=False, limit=600):
        """Polls each operation when its broker asks for it, and shows every new word it says."""
        clock, said, due, failed = Clock(), dict.fromkeys(waits, "accepted"), dict.fromkeys(waits, 0.0), list(failed)
        while waits:
            for name in [n for n in waits if due[n] <= clock.seconds()]:
                path, query = waits[name]
                answer = self.osb.get(path, **query)
                state = answer.body.get("state")
                words = answer.body.get("description") or state
                if answer.status == 410 and gone_is_good or state == "succeeded":
                    del waits[name]
                    self.screen.done(f"{name}: {words if state else 'gone'}", clock.seconds())
                elif answer.status == 200 and state == "in progress":
                    due[name] = clock.seconds() + answer.retry_after
                    if words != said[name]:
                        self.screen.note(f"  {name} at {clock.seconds():.1f} s: {words}")
                    said[name] = words
                else:
                    del waits[name]
                    failed.append(f"{name}: {words if state else answer.sentence()}")
            if waits and clock.seconds() > limit:
                raise Wrong(f"not done after {limit} s: {', '.join(waits)}")
            self.screen.moving([f"{n}  {clock.seconds():5.1f} s  {said[n]}" for n in waits])
            time.sleep(0.1 if waits else 0)
        self.screen.erase()
        if failed:
            raise Wrong("; ".join(failed))


def shortened(key, value):
    """A secret is recognisable, not usable."""
    if any(word in key.lower() for word in ("secret", "password", "token")):
        return f"{str(value)[:4]}… ({len(str(value))} characters)"
    return value
