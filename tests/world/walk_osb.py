"""The main job over the Open Service Broker API, as a platform does it."""

import uuid

from osb import Osb
from steps import Wrong
from walk import BINDINGS, DONE, FAILED, IN_PROGRESS, WANTED, Walk, offering_line, parameter

CLUSTER = "3f0a6d0c-2f5e-4d52-9d0c-0c0f5e3f7a11"


class OsbWalk(Walk):
    def __init__(self, stack, steps):
        super().__init__(stack, steps)
        self.osb = Osb(stack.url, stack.username, stack.password)
        self.plans = {}

    def read_catalog(self):
        answer = expect(self.osb.get("/v2/catalog"), 200)
        offerings = answer.body["services"]
        for offering in offerings:
            self.screen.note(offering_line(offering["name"], offering["description"], [p["name"] for p in offering["plans"]]))
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
            expect(answer, 202, 201)
            if answer.status == 202:
                waits[name] = self.operation(self.instance_path(name), name, answer)
        self.wait(waits)

    def bind(self):
        waits = {}
        for name, (owner, word) in BINDINGS.items():
            service, plan = self.plans[owner]
            self.bindings[name] = str(uuid.uuid4())
            path = self.binding_path(name)
            schema = plan["schemas"]["service_binding"]["create"]["parameters"]
            body = {"service_id": service, "plan_id": plan["id"], "parameters": {parameter(schema, owner, word): word}}
            answer = expect(self.osb.put(path, body, accepts_incomplete="true"), 202, 201, 200)
            if answer.status == 202:
                waits[name] = self.operation(path, owner, answer)
        self.wait(waits)
        for name in self.bindings:
            self.hold(name, expect(self.osb.get(self.binding_path(name)), 200).body["credentials"])

    def unbind(self):
        self.take_back("unbind", {name: (self.binding_path(name), BINDINGS[name][0]) for name in self.bindings})

    def deprovision(self):
        self.take_back("deprovision", {name: (self.instance_path(name), name) for name in self.instances})

    def take_back(self, verb, things):
        waits, refused = {}, []
        for name, (path, owner) in things.items():
            service, plan = self.plans[owner]
            answer = self.osb.delete(path, service_id=service, plan_id=plan["id"], accepts_incomplete="true")
            if answer.status == 202:
                waits[name] = self.operation(path, owner, answer, gone_is_good=True)
            elif answer.status == 200:
                self.screen.done(f"{name}: {verb} done at once", 0)
            else:
                refused.append(f"{name}: {answer.sentence()}")
        self.wait(waits, refused)

    def instance_path(self, name):
        return f"/v2/service_instances/{self.instances[name]}"

    def binding_path(self, name):
        return f"{self.instance_path(BINDINGS[name][0])}/service_bindings/{self.bindings[name]}"

    def operation(self, path, owner, answer, gone_is_good=False):
        service, plan = self.plans[owner]
        query = {"service_id": service, "plan_id": plan["id"], "operation": answer.body.get("operation")}
        query = {k: v for k, v in query.items() if v is not None}
        return Operation(self.osb, f"{path}/last_operation", query, gone_is_good)


class Operation:
    """One that the broker works at, asked for when the broker says."""

    def __init__(self, osb, path, query, gone_is_good):
        self.osb, self.path, self.query, self.gone_is_good = osb, path, query, gone_is_good
        self.pause = 0

    def look(self):
        answer = self.osb.get(self.path, **self.query)
        state = answer.body.get("state")
        words = answer.body.get("description") or state
        if answer.status == 410 and self.gone_is_good or state == "succeeded":
            return DONE, words if state else "gone"
        if answer.status == 200 and state == "in progress":
            self.pause = answer.retry_after
            return IN_PROGRESS, words
        return FAILED, words if state else answer.sentence()


def expect(answer, *statuses):
    if answer.status not in statuses:
        raise Wrong(answer.sentence())
    return answer
