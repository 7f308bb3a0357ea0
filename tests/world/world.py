"""A world: a temporary directory and the processes that live with it. When it is closed, nothing of it is left."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from process import Child
from remains import MARK, PREFIX, identity, remove, remove_dead


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP: unwinds the stack, so that every `with` closes what it opened."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


class World:
    def __init__(self):
        self.children = []
        self.ending = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.asked_to_stop)

    def __enter__(self):
        remove_dead()
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.directory.chmod(0o711)  # PostgreSQL's user has to pass, not to look
        (self.directory / "owner").write_text(identity(os.getpid()))
        self.environment = os.environ | {MARK: str(self.directory)}
        guardian = [sys.executable, str(Path(__file__).with_name("guardian.py")), str(self.directory)]
        quiet = subprocess.DEVNULL
        self.guardian = subprocess.Popen(
            guardian, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True, cwd="/"
        )
        return self

    def asked_to_stop(self, number, _frame):
        if not self.ending:
            self.ending = True
            raise Stopped(number)

    def start(self, name, argv, *, env=None, **options):
        """Starts a process that ends with this world. `env` is the whole environment; the mark is added."""
        environment = (self.environment if env is None else env) | {MARK: str(self.directory)}
        child = Child(name, [str(a) for a in argv], env=environment, **options)
        self.children.append(child)
        return child

    def run(self, name, argv, **options):
        """Runs a command to its end within this world: (exit status, what it printed if stdout=PIPE)."""
        child = self.start(name, argv, **options)
        output, _ = child.process.communicate()
        self.children.remove(child)
        return child.wait(), output

    def stay(self):
        """Waits for a signal. A server that ends by itself is an error."""
        while True:
            for child in self.children:
                if not child.running():
                    raise RuntimeError(f"{child.name} ended by itself (exit status {child.wait()})")
            time.sleep(0.2)

    def __exit__(self, kind, error, trace):
        self.ending = True
        for child in reversed(self.children):
            child.stop()
        remove(str(self.directory))
        self.guardian.stdin.close()
        self.guardian.wait()
        return False
