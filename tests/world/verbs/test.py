"""test -- CMD…: a private PostgreSQL (nothing durable) and the AWS stand-in for as long as CMD runs."""

import sys

import aws
import postgres
from settings import given, without_aws
from world import World


def main(arguments):
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("usage: test -- CMD…", file=sys.stderr)
        return 2
    with World() as world:
        return world.start(command[0], command, env=environment(world), foreground=True).wait()


def environment(world):
    """CMD's environment. It holds no way to a real account and to no database but ours."""
    endpoint, insecure = given("CHANDLERY_TEST_AWS_URL"), given("CHANDLERY_TEST_AWS_INSECURE_URL")
    standin = None if endpoint else aws.begin(world)
    # Not DATABASE_URL: that may be somebody's real database, and the tests make and drop databases as superuser.
    database = given("CHANDLERY_TEST_DATABASE_URL") or postgres.start(world, durable=False).url
    if standin:
        ready = aws.ready(standin)
        endpoint, insecure = ready.endpoint, ready.insecure_endpoint
    result = without_aws(world.environment) | {"DATABASE_URL": database, "CHANDLERY_TEST_AWS_URL": endpoint}
    if insecure:
        result["CHANDLERY_TEST_AWS_INSECURE_URL"] = insecure
    # With DATABASE_URL set, sqlx's macros would ask this empty database about our tables.
    result.setdefault("SQLX_OFFLINE", "true")
    return result
