"""python3 tests/world VERB …: the one place that starts servers for people and for tests. README.md tells the rest."""

import importlib
import signal
import sys

from process import die_with_parent
from settings import Refusal
from world import Stopped

VERBS = {
    "test": "test [--kubernetes] -- CMD…  run CMD with a private PostgreSQL, the AWS stand-in and, if asked, a cluster",
    "dev": "dev             servers for writing offerings (K8S=1: the chart on Kubernetes); one line of JSON when ready",
    "demo": "demo            as dev, and a walk through the main job (K8S=1: with svcat; ONCE=1: ends after it)",
    "run": "run             a broker on your own DATABASE_URL and AWS account",
    "cluster": "cluster CRDS…   a Kubernetes API server; one line of JSON when ready",
    "psql": "psql ARGS…      psql on a fresh, migrated database",
    "sqlx": "sqlx [--check]  write .sqlx/ (the data of the compile-time checked queries), or compare it",
    "bench": "bench ARGS…     tests/bench on a release build",
    "python": "python ARGS…    the stand-in's Python with its packages",
    "setup": "setup           install what a bare machine lacks",
    "deny": "deny            licences, bans, sources and advisories of the dependencies",
    "phase": "phase NAME -- CMD…  run CMD and say how long it took",
}


def main(arguments):
    if arguments[:1] == ["--with-parent"]:
        # For make: when it is killed, so are we, and then what we started.
        die_with_parent(signal.SIGTERM)
        arguments = arguments[1:]
    if not arguments or arguments[0] not in VERBS:
        print(__doc__, *VERBS.values(), sep="\n  ", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(f"verbs.{arguments[0]}").main(arguments[1:])
    except Refusal as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(f"\nworld: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        return stopped.status
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Python 3.11 or later is needed.")
    sys.exit(main(sys.argv[1:]))
