"""cluster DEFINITIONS…: a Kubernetes cluster for tests, one line of JSON when it is ready, until Ctrl-C or SIGTERM. The
arguments are files and folders of CustomResourceDefinitions that are to be there from the start."""

import json
import sys
import time

import cluster
import programs
from world import Stopped, World


def main(arguments):
    ready = False
    try:
        with World() as world:
            programs.find(world)
            began = time.monotonic()
            print(json.dumps(cluster.start(world, arguments).described()), flush=True)
            ready = True
            print(f"world: ready after {time.monotonic() - began:.1f} s; Ctrl-C ends it", file=sys.stderr, flush=True)
            world.stay()
    except Stopped as stopped:
        return 0 if ready else stopped.status
