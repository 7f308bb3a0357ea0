"""make bench: what the broker does in a second and what it costs, beside an empty axum handler measured in the same run.

    python3 tests/world bench [--rounds N] [--seconds S] [--only NAME,…] [--out FILE]

Prints the figures and writes them as JSON (target/bench.json). docs/PERFORMANCE.md tells how to read them.
"""

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "world"))

import machine
import show
from figures import amazon, crowd, kubernetes, provisions, requests, resume, start
from house import House
from settings import TARGET

# In this order: the quiet ones first.
FIGURES = {"start": start, "requests": requests, "amazon": amazon, "provisions": provisions, "crowd": crowd, "resume": resume,
           "kubernetes": kubernetes}


def main():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="each figure is the median of so many (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement of requests a second (2)")
    parser.add_argument("--crowd", type=int, default=10_000, help="operations in flight (10000)")
    parser.add_argument("--objects", type=int, default=1_000, help="instances on Kubernetes, and as many bindings (1000)")
    # That one takes Kubernetes' programs, whose build takes minutes.
    usual = ",".join(name for name in FIGURES if name != "kubernetes")
    parser.add_argument("--only", default=usual, help=f"of {', '.join(FIGURES)}; all but the last by themselves")
    parser.add_argument("--out", type=Path, default=TARGET / "bench.json")
    options = parser.parse_args()

    results = {"machine": machine.describe(options)}
    with House(os.environ) as house:
        for name in options.only.split(","):
            print(f"bench: {name}", file=sys.stderr, flush=True)
            results[name] = FIGURES[name].measure(house, options)
            show.show(name, results[name])
    results["machine"] |= machine.load("after")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten to {options.out}")
    return 0


sys.exit(main())
