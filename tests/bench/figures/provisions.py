"""Provisions accepted a second: committed with fsync, while the engine works on them.

Twice: with the stand-in answering, which alone takes one core; and with AWS slow, where the engine only waits. Each
measurement has a database of its own, because it leaves thousands of operations behind."""

from figures.requests import keep, medians

SLOW = [{"mode": "latency", "seconds": 30, "times": None}]


def measure(house, options):
    taken = {}
    for _ in range(options.rounds):
        for name, faults in (("with AWS slow", SLOW), ("with AWS answering", [])):
            for connections in (1, 16):
                account = house.account()
                house.aws("PUT", f"accounts/{account}/faults", {"rules": faults})
                replica = house.replica(house.database(), account)
                empty = house.drive_empty(connections, options.seconds)
                figures = house.drive(replica, "PUT", ["/v2/service_instances/i-{n}?accepts_incomplete=true"],
                                      connections=connections, seconds=options.seconds, body=replica.provision_body())
                replica.kill()
                house.aws("DELETE", f"accounts/{account}")
                keep(taken, name, connections, figures, empty)
    return {name: {f"{connections} connections": medians(runs) for connections, runs in by.items()} for name, by in taken.items()}
