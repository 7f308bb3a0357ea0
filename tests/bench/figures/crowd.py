"""Thousands of operations in flight, ordered by as many PUTs.

Every call to AWS is answered with the service's throttling error, so that nothing ends and everything comes back: the
broker's state under the worst thing that AWS does to a crowd."""

import time

from figures.requests import medians

SETTLE, WATCH = 60, 60  # seconds


def measure(house, options):
    account = house.account()
    house.aws("PUT", f"accounts/{account}/faults", {"rules": [{"mode": "throttle", "times": None}]})
    replica = house.replica(house.database(), account)
    before = replica.rss_mib()
    figures = house.drive(replica, "PUT", ["/v2/service_instances/i-{n}?accepts_incomplete=true"], connections=16, seconds=600,
                          count=options.crowd, body=replica.provision_body())
    accepted = replica.rss_mib()
    time.sleep(SETTLE)
    calls, memory, connections, end = house.aws_calls(account), [], [], time.monotonic() + WATCH
    while time.monotonic() < end:
        memory.append(replica.rss_mib())
        connections.append(replica.connections())
        time.sleep(1)
    calls = house.aws_calls(account) - calls
    paths = [f"/v2/service_instances/i-{number}/last_operation" for number in range(0, options.crowd, 97)]
    polls = house.drive(replica, "GET", paths, connections=16, seconds=options.seconds)
    in_flight = int(house.psql("SELECT count(*) FROM operation WHERE state = 'in progress'", replica.database))
    replica.kill()
    house.aws("DELETE", f"accounts/{account}")
    return {"operations": in_flight, "accepted_per_s": figures["per_s"], "rss_mib_before": before, "rss_mib_accepted": accepted,
            "rss_mib": max(memory), "database_connections": max(connections), "aws_calls_per_minute": calls * 60 / WATCH,
            "polls_meanwhile": medians([polls | {"of_empty": 0}])}
