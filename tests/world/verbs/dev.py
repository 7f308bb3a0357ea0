"""dev: the servers, one line of JSON when they are ready, until Ctrl-C or SIGTERM."""

import json

import stack
from world import Stopped, World


def main(_arguments):
    ready = False
    try:
        with World() as world:
            print(json.dumps(stack.start(world).described()), flush=True)
            ready = True
            stack.tell("ready; Ctrl-C ends it")
            world.stay()
    except Stopped as stopped:
        return 0 if ready else stopped.status
