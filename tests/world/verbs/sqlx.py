"""sqlx [--check]: has the compiler check every query against a real database and writes what it learned into .sqlx/,
from which builds without a database are checked. --check writes elsewhere and fails where .sqlx/ says otherwise."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import postgres
from migrations import apply
from settings import CACHE, ROOT, Refusal
from system import need_compiler
from world import World

HOME = ROOT / ".sqlx"


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: sqlx [--check]", file=sys.stderr)
        return 2
    need_compiler()
    CACHE.mkdir(parents=True, exist_ok=True)
    with World() as world, tempfile.TemporaryDirectory(dir=CACHE, prefix="sqlx-") as found:
        server = postgres.start(world, durable=False)
        apply(server)
        compile_queries(world, server.url, found)
        return compare(Path(found)) if arguments else replace(Path(found))


def compile_queries(world, url, directory):
    # The macros write while they expand, so our crate has to be compiled anew; cargo goes by the time of its root.
    # The time is put back, so that other builds stay fresh, unless somebody wrote to it meanwhile.
    root = ROOT / "src" / "lib.rs"
    before = root.stat()
    os.utime(root)
    touched = root.stat().st_mtime_ns
    environment = os.environ | {"DATABASE_URL": url, "SQLX_OFFLINE": "false", "SQLX_OFFLINE_DIR": directory}
    try:
        status, _ = world.run("cargo", ["cargo", "check", "--quiet", "--locked", "--lib"], cwd=ROOT, env=environment)
    finally:
        if root.stat().st_mtime_ns == touched:
            os.utime(root, ns=(before.st_atime_ns, before.st_mtime_ns))
    if status:
        raise Refusal("A query does not fit the tables, or the crate does not compile: see above.")


def queries(directory):
    return {f.name: json.loads(f.read_text()) for f in directory.glob("query-*.json")}


def replace(found):
    HOME.mkdir(exist_ok=True)
    for old in HOME.glob("query-*.json"):
        old.unlink()
    for new in found.glob("query-*.json"):
        shutil.copy(new, HOME / new.name)
    print(f"{len(queries(HOME))} queries are in {HOME}", file=sys.stderr)
    return 0


def compare(found):
    new, old = queries(found), queries(HOME)
    for name in sorted(new.keys() | old.keys()):
        if new.get(name) != old.get(name):
            state = "missing" if name not in old else "no longer used" if name not in new else "different"
            print(f"{name} is {state}: {' '.join((new.get(name) or old[name])['query'].split())[:120]}", file=sys.stderr)
    if new != old:
        raise Refusal(".sqlx/ does not fit the queries; run make sqlx and commit it.")
    print(f"{len(new)} queries fit", file=sys.stderr)
    return 0
