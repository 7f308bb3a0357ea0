"""The main job, step by step: order, wait, bind, use, unbind, give back, look for remains. How each step is asked for is
the walks' own (walk_osb, walk_svcat); how it is shown, used and judged is here."""

import json
import subprocess
import time

import aws
import remainder
from settings import ROOT, without_aws
from show import Clock
from steps import Wrong

WANTED = {"bucket": "s3-bucket", "queue": "sqs-queue"}
# Bindings: what it is called here, of which instance, and a word that its bind parameter must offer.
BINDINGS = {"writer": ("bucket", "read-write"), "reader": ("bucket", "read-only"), "worker": ("queue", "both")}
HELPERS = ROOT / "tests" / "world" / "helpers"
# What a look at something that is waited for may find.
IN_PROGRESS, DONE, FAILED = "in progress", "done", "failed"


class Walk:
    """A walk gives read_catalog, provision, bind, unbind and deprovision. It notes in `instances` and `bindings` what has to
    be given back, as soon as it asks for it."""

    titles = {"catalog": "Read the catalog", "provision": "Provision a bucket and a queue",
              "bind": "Bind: credentials for applications", "unbind": "Unbind", "deprovision": "Deprovision",
              "remains": "Look for remains in AWS"}

    def __init__(self, stack, steps):
        self.stack, self.steps, self.screen = stack, steps, steps.screen
        self.credentials, self.instances, self.bindings = {}, {}, {}

    def run(self):
        step, titles, before = self.steps.step, self.titles, self.inventory()
        with step(titles["catalog"]):
            self.read_catalog()
        if self.steps.good:
            with step(titles["provision"]):
                self.provision()
        if self.steps.good:
            with step(titles["bind"]):
                self.bind()
        if self.steps.good:
            with step("Use the credentials"):
                self.use()
        if self.bindings:
            with step(titles["unbind"]):
                self.unbind()
        if self.instances:
            with step(titles["deprovision"]):
                self.deprovision()
        with step(titles["remains"]):
            self.compare(before, self.inventory())
        return self.steps.good

    def inventory(self):
        return remainder.inventory(self.stack)

    def hold(self, name, credentials):
        """Keeps and shows a binding's credentials."""
        self.credentials[name] = credentials
        self.screen.note(f"credentials of {name}:")
        for key, value in credentials.items():
            self.screen.note(f"    {key}: {shortened(key, value)}")

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

    def compare(self, before, after):
        left = [f"{kind} {name}" for kind, names in after.items() for name in names if name not in before.get(kind, [])]
        if left:
            raise Wrong(f"left behind: {', '.join(left)}")
        counted = ", ".join(f"{len(names)} {kind}" for kind, names in after.items())
        self.screen.note(f"{self.screen.good} nothing is left of what this walk made ({counted} there)")

    def wait(self, waits, failed=(), limit=600):
        """Looks at each when it is time to, and shows every new word it says. `waits`: {name: what has look() and pause}."""
        clock, said, due, failed = Clock(), dict.fromkeys(waits, "accepted"), dict.fromkeys(waits, 0.0), list(failed)
        waits = dict(waits)
        while waits:
            for name in [n for n in waits if due[n] <= clock.seconds()]:
                state, words = waits[name].look()
                if state == IN_PROGRESS:
                    due[name] = clock.seconds() + waits[name].pause
                    if words != said[name]:
                        self.screen.note(f"  {name} at {clock.seconds():.1f} s: {words}")
                    said[name] = words
                    continue
                del waits[name]
                if state == DONE:
                    self.screen.done(f"{name}: {words}", clock.seconds())
                else:
                    failed.append(f"{name}: {words}")
            if waits and clock.seconds() > limit:
                raise Wrong(f"not done after {limit} s: {', '.join(waits)}")
            self.screen.moving([f"{n}  {clock.seconds():5.1f} s  {said[n]}" for n in waits])
            time.sleep(0.1 if waits else 0)
        self.screen.erase()
        if failed:
            raise Wrong("; ".join(failed))


def offering_line(name, description, plans):
    return f"{name}: {description} (plans: {', '.join(plans)})"


def parameter(schema, owner, word):
    """The bind parameter that offers this word, from the schema that the catalog serves."""
    for name, about in schema["properties"].items():
        if word in about.get("enum", []):
            return name
    raise Wrong(f"no bind parameter of the {owner}'s plan offers {word!r}")


def shortened(key, value):
    """A secret is recognisable, not usable."""
    if any(word in key.lower() for word in ("secret", "password", "token")):
        return f"{str(value)[:4]}… ({len(str(value))} characters)"
    return value
