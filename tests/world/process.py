"""Starting and stopping one process. Each gets its own process group, and is told to end when we are killed."""

import ctypes
import os
import signal
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def die_with_parent(number):
    """Asks the kernel for a signal when the parent ends, however it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


class Child:
    """A process that we started, with the signal that ends it well."""

    def __init__(self, name, argv, *, end=signal.SIGTERM, foreground=False, **popen):
        self.name, self.end, self.terminal = name, end, None

        def prepare():
            # After the change of user, which would clear it.
            die_with_parent(end)
            os.setpgid(0, 0)

        popen.setdefault("stdin", None if foreground else subprocess.DEVNULL)
        self.process = subprocess.Popen(argv, preexec_fn=prepare, **popen)
        if foreground and sys.stdin.isatty():
            self.terminal = sys.stdin.fileno()
            give_terminal(self.terminal, self.process.pid)

    def running(self):
        return self.process.poll() is None

    def wait(self):
        """Waits for its end; the exit status as a shell would give it."""
        status = self.process.wait()
        return 128 - status if status < 0 else status

    def stop(self, patience=15):
        """Ends the whole group: politely first, for good after `patience` seconds."""
        if self.running():
            send(self.process.pid, self.end)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                print(f"{self.name} did not end within {patience} s and is killed", file=sys.stderr)
        send(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.terminal is not None:
            give_terminal(self.terminal, os.getpgrp())


def send(group, number):
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def give_terminal(terminal, group):
    """Makes a group the one that Ctrl-C goes to and that may read the keyboard."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(terminal, group)
    except OSError:
        pass
    finally:
        signal.signal(signal.SIGTTOU, before)


def wait_until(ready, child, seconds, what):
    """Polls `ready` until it returns something; None when the child ended or time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        if not child.running():
            return None
        time.sleep(0.02)
    print(f"{what} was not ready after {seconds} s", file=sys.stderr)
    return None
