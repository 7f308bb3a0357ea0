"""What one broker answers: each route at 1 and 16 connections, each measurement beside an empty handler's.

The database holds 100,000 more instances with their operations, so that look-ups are real ones."""

from statistics import median

INSTANCES = 64
BALLAST = 100_000
PACE = 2_000  # requests a second

FILL = f"""
INSERT INTO owner (uid, kind, platform, target) SELECT md5('o' || n)::uuid, 'instance', 'main', 'x/y' FROM generate_series(1, {BALLAST}) n;
INSERT INTO instance (uid, platform, id, service_id, plan_id, offering, plan, revision, organization, space, context, target,
                      parameters, tags, state, ready_at)
SELECT md5('o' || n)::uuid, platform, 'ballast-' || n, service_id, plan_id, offering, plan, revision, organization, space, context,
       target, parameters, tags, 'ready', now() FROM generate_series(1, {BALLAST}) n, (SELECT * FROM instance LIMIT 1) one;
INSERT INTO operation (id, owner, kind, state, description, deadline, finished_at)
SELECT md5('p' || n)::uuid, md5('o' || n)::uuid, 'provision', 'succeeded', 'the instance is ready', now(), now()
FROM generate_series(1, {BALLAST}) n;
"""


def measure(house, options):
    replica = house.replica(house.database())
    instances = [f"instance-{number}" for number in range(INSTANCES)]
    for instance in instances:
        replica.provision(instance)
    house.psql(FILL, replica.database)
    house.psql("VACUUM ANALYZE", replica.database)

    paths = [f"/v2/service_instances/{instance}" for instance in instances]
    routes = {
        "catalog": ("GET", ["/v2/catalog"]),
        "last_operation": ("GET", [f"{path}/last_operation" for path in paths]),
        "fetch_instance": ("GET", paths),
    }
    taken = {}
    for number in range(options.rounds):
        for connections in (1, 16):
            empty = house.drive_empty(connections, options.seconds)
            keep(taken, "empty", connections, empty, empty)
            for name, (method, where) in routes.items():
                figures = house.drive(replica, method, where, connections=connections, seconds=options.seconds)
                keep(taken, name, connections, figures, empty)
            where = [f"{path}/service_bindings/b-{number}-{connections}-{{n}}" for path in paths]
            figures = house.drive(replica, "PUT", where, connections=connections, seconds=30, count=20 * min(connections, 4),
                                  body=replica.ids | {"parameters": {}})
            keep(taken, "bind", connections, figures, empty)
        for name in ("catalog", "last_operation"):
            method, where = routes[name]
            figures = house.drive(replica, method, where, connections=16, seconds=options.seconds, rate=PACE)
            keep(taken, f"{name} at {PACE}/s", 16, figures, empty)
    result = {name: {f"{connections} connections": medians(runs) for connections, runs in by.items()} for name, by in taken.items()}
    result |= {"catalog_bytes": len(replica.osb.get("/v2/catalog").raw), "rss_mib_after": replica.rss_mib(),
               "database_connections": replica.connections()}
    replica.stop()
    return result


def keep(taken, name, connections, figures, empty):
    figures = figures | {"of_empty": figures["per_s"] / empty["per_s"]}
    taken.setdefault(name, {}).setdefault(connections, []).append(figures)


def medians(runs):
    """Of each figure. `…_cpu_us`: processor time for each request, which says what limits it."""
    return {word: median(run[word] for run in runs) for word in runs[0] if word.endswith(("_us", "_ms", "of_empty", "per_s"))}
