"""demo: the servers and a walk through the main job; with K8S=1 on Kubernetes, with svcat. Then all stays until Ctrl-C, or
with ONCE=1 it ends."""

import functools

import stack
from settings import Refusal, given
from show import Screen
from steps import Steps
from walk_osb import OsbWalk
from walk_svcat import SvcatWalk
from world import Stopped, World


def main(_arguments):
    good = False
    try:
        with World() as world:
            screen, log = Screen(), world.directory / "servers.log"
            steps = Steps(screen)
            with stack.started(world, log, functools.partial(steps.step, must=True)) as servers:
                if servers.password is None:
                    raise Refusal("With a CHANDLERY_POLICY of your own, set CHANDLERY_DEV_USERNAME and CHANDLERY_DEV_PASSWORD.")
                walk = SvcatWalk if servers.release else OsbWalk
                good = walk(servers, steps).run()
                screen.say()
                screen.table(steps.rows)
                if not good:
                    screen.say(f"\nThe servers' log ends with:\n{servers.said()[-8000:]}")
                if given("ONCE") in (None, "0"):
                    for line in farewell(servers):
                        screen.say(line)
                    world.stay()
    except Stopped as stopped:
        return stopped.status if not good else 0
    return 0 if good else 1


def farewell(servers):
    lines = ["", "The broker stays, for you to try:", f"    URL       {servers.url}", f"    username  {servers.username}",
             f"    password  {servers.password}", f"    log       {servers.logs()}",
             f"    curl -u '{servers.username}:{servers.password}' -H 'X-Broker-API-Version: 2.17' {servers.url}/v2/catalog"]
    if servers.release:
        cluster = servers.release.cluster
        lines += ["So does the cluster, with kubectl, svcat and helm for it:",
                  f"    export KUBECONFIG={cluster.kubeconfig} PATH={cluster.bin}:$PATH", "    svcat marketplace"]
    return [*lines, "Ctrl-C ends it and leaves nothing behind."]
