"""dev: the servers, one line of JSON when they are ready, until Ctrl-C or SIGTERM."""

import json

import stack
from world import Stopped, World


def main(_arguments):
    try:
        with World() as world:
            print(json.dumps(stack.start(world).described()), flush=True)
            stack.tell("ready; Ctrl-C ends it")
            world.stay()
    except Stopped:
        return 0
