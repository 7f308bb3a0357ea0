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


def load(when):
    """The load average of the last minute: what else ran here."""
    return {f"load_{when}": round(os.getloadavg()[0], 2)}
