"""phase NAME -- CMD…: runs CMD and says how long it took."""

import signal
import subprocess
import sys
import time


def main(arguments):
    name, _, *command = arguments
    print(f"=== {name}", flush=True)
    # Ctrl-C reaches CMD by itself; we wait for it to clean up.
    signal.signal(signal.SIGINT, lambda *_: None)
    start = time.monotonic()
    status = subprocess.run(command).returncode
    minutes, seconds = divmod(time.monotonic() - start, 60)
    print(f"=== {name}: {'ok' if status == 0 else 'FAILED'} after {minutes:.0f} min {seconds:.1f} s", flush=True)
    return 128 - status if status < 0 else status
