"""Provision and bind of a bucket, beside the same SDK calls made bare.

Which calls those are is not written down here: the stand-in recorded them. Both sides are warm, and take turns."""

import time
from statistics import median

from house import REGION, Program


def measure(house, options):
    replica = house.replica(house.database())
    replica.provision("warm")
    replica.bind("warm", "warm")
    house.aws("DELETE", f"accounts/{replica.account}/calls")
    once(replica, "recorded")
    recorded = house.aws("GET", f"accounts/{replica.account}/calls")["calls"]
    calls = [f"{call['service']}:{call['operation']}" for call in recorded]

    bare = Program(house, "bare")
    job = {"endpoint": house.aws_url, "account": house.account(), "region": REGION, "calls": calls}
    bare.ask(job | {"name": "warm-up-of-the-bare-calls"})
    broker_ms, bare_ms = [], []
    for number in range(options.rounds * 4):
        bare_ms.append(bare.ask(job | {"name": f"bare-{job['account']}-{number}"})["ms"])
        broker_ms.append(once(replica, f"instance-{number}"))
    provision, bind = zip(*broker_ms)
    both = [sum(pair) for pair in broker_ms]
    replica.stop()
    return {"calls": calls, "provision_ms": median(provision), "bind_ms": median(bind), "provision_and_bind_ms": median(both),
            "bare_calls_ms": median(bare_ms), "ratio": median(both) / median(bare_ms)}


def once(replica, instance):
    """(provision, bind) in milliseconds, as a platform sees it that polls every 2 ms."""
    began = time.perf_counter()
    replica.provision(instance)
    ready = time.perf_counter()
    replica.bind(instance, "binding")
    return (ready - began) * 1e3, (time.perf_counter() - ready) * 1e3
