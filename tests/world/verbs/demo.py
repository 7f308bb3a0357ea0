"""demo: the servers and a walk through the main job. Then the broker stays until Ctrl-C, or with ONCE=1 all ends."""

import stack
from settings import Refusal, given
from show import Screen
from walk import Walk
from world import Stopped, World


def main(_arguments):
    good = False
    try:
        with World() as world:
            screen, log = Screen(), world.directory / "servers.log"
            servers = stack.start(world, log)
            if servers.password is None:
                raise Refusal("With a CHANDLERY_POLICY of your own, set CHANDLERY_DEV_USERNAME and CHANDLERY_DEV_PASSWORD.")
            good = Walk(servers, screen).run_and_sum_up()
            if not good:
                screen.say(f"\nThe servers' log ends with:\n{log.read_text(errors='replace')[-4000:]}")
            if given("ONCE") in (None, "0"):
                for line in farewell(servers, log):
                    screen.say(line)
                world.stay()
    except Stopped as stopped:
        return stopped.status if not good else 0
    return 0 if good else 1


def farewell(servers, log):
    return ["", "The broker stays, for you to try:", f"    URL       {servers.url}", f"    username  {servers.username}",
            f"    password  {servers.password}", f"    log       {log}",
            f"    curl -u '{servers.username}:{servers.password}' -H 'X-Broker-API-Version: 2.17' {servers.url}/v2/catalog",
            "Ctrl-C ends it and leaves nothing behind."]
