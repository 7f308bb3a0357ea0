"""Leaves nothing behind: ends every process of a world and removes its directory.

A process belongs to a world if it carries the world's directory in its environment (inherited by every descendant, so
one that left its group or its session is found as well) or works inside that directory (PostgreSQL, which overwrites
its environment with its title). That needs no list, so it holds at any time: at a normal end, when the guardian finds
its world killed, and at the next start if the guardian was killed, too.
"""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

PREFIX = "chandlery-world-"
MARK = "CHANDLERY_WORLD"


def identity(pid):
    """A process for good: its number and its start time, so that a number used again is not mistaken for it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return f"{pid} {stat.rpartition(')')[2].split()[19]}"


def members(directory):
    """The processes of a world: {pid: the signal that ends it well}."""
    mark = f"{MARK}={directory}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            if f"{os.readlink(f'/proc/{entry}/cwd')}/".startswith(f"{directory}/"):
                found[int(entry)] = signal.SIGQUIT
            elif mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found[int(entry)] = signal.SIGTERM
        except OSError:
            continue
    return found


def remove(directory, patience=3):
    """Ends what is left of a world and deletes its directory. May be called again, and by several at once."""
    end = time.monotonic() + patience
    asked = set()
    while left := members(directory):
        for pid, number in left.items():
            late = time.monotonic() > end
            if late or pid not in asked:
                asked.add(pid)
                try:
                    os.kill(pid, signal.SIGKILL if late else number)
                except OSError:
                    pass
        if time.monotonic() > end + patience:
            break
        time.sleep(0.02)
    shutil.rmtree(directory, ignore_errors=True)


def remove_dead():
    """Removes worlds whose owner is gone, as they are when a machine or a guardian was killed."""
    for directory in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        try:
            owner = (directory / "owner").read_text()
        except FileNotFoundError:
            if not directory.is_dir() or time.time() - directory.stat().st_mtime < 60:
                continue
            owner = ""
        except OSError:
            continue
        if os.stat(directory).st_uid == os.getuid() and identity(owner.partition(" ")[0]) != (owner or "gone"):
            remove(str(directory))
