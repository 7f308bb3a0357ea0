"""psql ARGS…: psql on a fresh database with our tables, to look at the schema and to try statements."""

import postgres
from migrations import apply
from world import World


def main(arguments):
    with World() as world:
        server = postgres.start(world, durable=False)
        apply(server)
        argv = [server.binaries / "psql", "--no-psqlrc", server.url, *arguments]
        return world.start("psql", argv, foreground=True).wait()
