"""dev: the servers, with K8S=1 on Kubernetes; one line of JSON when they are ready, until Ctrl-C or SIGTERM."""

import json

import stack
from world import Stopped, World


def main(_arguments):
    ready = False
    try:
        with World() as world, stack.started(world) as servers:
            print(json.dumps(servers.described()), flush=True)
            ready = True
            stack.tell("ready; Ctrl-C ends it")
            world.stay()
    except Stopped as stopped:
        return 0 if ready else stopped.status
