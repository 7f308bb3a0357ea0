"""From `exec` to the first catalog, and what an idle broker holds."""

import time
from statistics import median

IDLE = 5  # seconds: what starting needed is given back by then


def measure(house, options):
    database, seconds, idle = house.database(), [], []
    for _ in range(options.rounds):
        replica = house.replica(database)
        seconds.append(replica.seconds_to_catalog)
        time.sleep(IDLE if not idle else 0)
        idle.append(replica.rss_mib())
        connections = replica.connections()
        replica.stop()
    return {"start_to_first_catalog_s": median(seconds), "worst_start_s": max(seconds), "idle_mib": idle[0],
            "idle_database_connections": connections}
