"""python -m standin [--port N] [--insecure-port N] [--with-stdin]

Prints one line of JSON when it answers: {"endpoint": ..., "insecure_endpoint": ..., "pid": ...}. Binds 127.0.0.1 only.
Ends on SIGTERM or SIGINT, when the process that started it ends, and with --with-stdin when its standard input closes.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import threading


def main():
    arguments = argparse.ArgumentParser(prog="standin", description="A stand-in for AWS.")
    arguments.add_argument("--port", type=int, default=0, help="port of the main endpoint; 0 takes a free one")
    arguments.add_argument(
        "--insecure-port", type=int, default=0, help="port of the endpoint that counts as plain HTTP"
    )
    arguments.add_argument("--with-stdin", action="store_true", help="stop when standard input closes")
    options = arguments.parse_args()
    # Nothing needs to be written or flushed at the end, so both signals end the process where it stands.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    if options.with_stdin:
        threading.Thread(target=end_with_stdin, daemon=True).start()
    asyncio.run(run(options, os.getppid()))


def end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


async def run(options, parent):
    from . import settings  # noqa: F401  (before anything imports moto)
    from .pipeline import handle
    from .server import listen

    secure, port = await listen(handle, True, options.port)
    insecure, insecure_port = await listen(handle, False, options.insecure_port)
    ready = {
        "endpoint": f"http://127.0.0.1:{port}",
        "insecure_endpoint": f"http://127.0.0.1:{insecure_port}",
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)
    while os.getppid() == parent:
        await asyncio.sleep(0.3)
    print("standin: the process that started it is gone", file=sys.stderr)
    os._exit(0)


main()
