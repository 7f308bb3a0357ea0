"""What the figures were taken on: they mean nothing without it."""

import os
import platform
import time


def describe(options):
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    with open("/proc/meminfo") as file:
        gigabytes = int(file.readline().split()[1]) // 2**20
    return {"cores": os.cpu_count(), "cpu": model, "memory_gib": gigabytes, "kernel": platform.release(),
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "rounds": options.rounds, "seconds": options.seconds} | load("before")


def cpu_seconds(*pids):
    """What those processes have used of the processors. It depends on what else runs here far less than time does."""
    return sum(used(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


def used(pid):
    try:
        words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return 0
    return int(words[11]) + int(words[12])


def children(parent):
    """Of a server that gives each connection a process."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                words = open(f"/proc/{entry.name}/stat").read().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if int(words[1]) == parent:
                found.append(int(entry.name))
    return found


def load(when):
    """The load average of the last minute: what else ran here."""
    return {f"load_{when}": round(os.getloadavg()[0], 2)}
