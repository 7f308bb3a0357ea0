"""python3 guardian.py DIRECTORY: waits until standard input closes, which is when its world has ended or was killed
(SIGKILL included), and removes what is left of it."""

import os
import signal
import sys

from remains import remove

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    remove(sys.argv[1])
