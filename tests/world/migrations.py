"""Applies migrations/*.sql with psql, in the order of their numbers. Not with the program: that cannot be built before
the queries in it have been checked against these tables."""

import subprocess

from settings import MIGRATIONS, Refusal


def apply(server):
    for file in sorted(MIGRATIONS.glob("*.sql"), key=lambda f: int(f.name.split("_")[0])):
        once = [] if file.read_text().startswith("-- no-transaction") else ["--single-transaction"]
        ran = server.psql("--quiet", "--set", "ON_ERROR_STOP=1", *once, "--file", file, stdout=subprocess.DEVNULL)
        if ran.returncode:
            raise Refusal(f"{file} cannot be applied: see above.")
