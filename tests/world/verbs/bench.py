"""bench ARGS…: tests/bench with a durable PostgreSQL, the AWS stand-in and a release build. It starts and kills brokers
itself; this gives it DATABASE_URL, CHANDLERY_TEST_AWS_URL, CHANDLERY_BIN and CHANDLERY_BENCH_LOAD (tests/bench/load.rs)."""

import sys

import aws
import broker
import postgres
from settings import ROOT, Refusal, without_aws
from world import World


def main(arguments):
    home = ROOT / "tests" / "bench"
    if not (home / "__main__.py").exists():
        raise Refusal(f"There is no benchmark in this checkout ({home} is missing).")
    with World() as world:
        program = broker.build(world, release=True)
        load = broker.build(world, True, ("--bench", "load"), "CHANDLERY_BENCH_LOAD")
        standin = aws.begin(world)
        database = postgres.start(world, durable=True).url
        ready = aws.ready(standin)
        environment = without_aws(world.environment) | {
            "DATABASE_URL": database, "CHANDLERY_TEST_AWS_URL": ready.endpoint, "CHANDLERY_BIN": str(program),
            "CHANDLERY_BENCH_LOAD": str(load)}
        return world.start("bench", [sys.executable, home, *arguments], env=environment, foreground=True).wait()
