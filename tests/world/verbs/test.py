"""test [--kubernetes] -- CMD…: a private PostgreSQL (nothing durable), the AWS stand-in and, if asked for, a Kubernetes
cluster, for as long as CMD runs."""

import sys

import aws
import cluster
import postgres
from settings import Refusal, given, without_aws, without_kubernetes
from world import World


def main(arguments):
    kubernetes = arguments[:1] == ["--kubernetes"]
    arguments = arguments[1:] if kubernetes else arguments
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command or command[0].startswith("-"):
        print("usage: test [--kubernetes] -- CMD…", file=sys.stderr)
        return 2
    with World() as world:
        return world.start(command[0], command, env=environment(world, kubernetes), foreground=True).wait()


def environment(world, kubernetes):
    """CMD's environment. It holds no way to a real account or cluster and to no database but ours."""
    own = cluster.begin(world) if kubernetes and not given_cluster() else None
    endpoint, insecure = given("CHANDLERY_TEST_AWS_URL"), given("CHANDLERY_TEST_AWS_INSECURE_URL")
    standin = None if endpoint else aws.begin(world)
    # Not DATABASE_URL: that may be somebody's real database, and the tests make and drop databases as superuser.
    database = given("CHANDLERY_TEST_DATABASE_URL") or postgres.start(world, durable=False).url
    if standin:
        ready = aws.ready(standin)
        endpoint, insecure = ready.endpoint, ready.insecure_endpoint
    clean = without_kubernetes(without_aws(world.environment))
    result = clean | {"DATABASE_URL": database, "CHANDLERY_TEST_AWS_URL": endpoint}
    if insecure:
        result["CHANDLERY_TEST_AWS_INSECURE_URL"] = insecure
    if own:
        ready = cluster.ready(world, own)
        result = ready.environment(result) | {
            "CHANDLERY_TEST_KUBECONFIG": str(ready.kubeconfig), "CHANDLERY_TEST_KUBERNETES_BIN": str(ready.bin)}
    # With DATABASE_URL set, sqlx's macros would ask this empty database about our tables.
    result.setdefault("SQLX_OFFLINE", "true")
    return result


def given_cluster():
    """Whether the environment names a cluster (such as the one of the verb `cluster`), which CMD then gets."""
    both = ("CHANDLERY_TEST_KUBECONFIG", "CHANDLERY_TEST_KUBERNETES_BIN")
    named = [name for name in both if given(name)]
    if len(named) == 1:
        raise Refusal(f"{named[0]} is set alone; set {' and '.join(both)}, or neither.")
    return bool(named)
