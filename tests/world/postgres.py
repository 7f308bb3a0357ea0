"""A private PostgreSQL: own directory, own port, own password; loopback only.

The first start makes a template with initdb (a second or two) and keeps it; every later one unpacks it. PostgreSQL
refuses to run as root, so root runs it as an unprivileged user.
"""

import fcntl
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from process import wait_until
from settings import CACHE, Refusal
from system import install

USER = DATABASE = "chandlery"
PURPOSE = "the PostgreSQL server (13 or later)"
PACKAGES = ["postgresql"]
COMMON = {"listen_addresses": "127.0.0.1", "max_connections": "300", "dynamic_shared_memory_type": "mmap",
          "log_min_messages": "warning", "timezone": "UTC"}
# For tests only: a crash of the machine may lose everything, and nothing waits for a disk.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal",
            "max_wal_senders": "0", "autovacuum_naptime": "1h"}


class Postgres:
    def __init__(self, url, binaries):
        self.url, self.binaries = url, binaries

    def psql(self, *arguments, url=None, **options):
        """Runs psql against it and waits."""
        argv = [str(self.binaries / "psql"), "--no-psqlrc", url or self.url, *map(str, arguments)]
        return subprocess.run(argv, **options)


def start(world, durable):
    """Starts a server with one empty database. `durable` keeps PostgreSQL's own settings for writing to disk."""
    binaries = find()
    owner = unprivileged()
    archive, password = template(binaries, owner)
    for _ in range(3):  # another process may take the free port before PostgreSQL does
        home = world.directory / f"postgres-{secrets.token_hex(3)}"
        home.mkdir(0o700)
        give(home, owner)
        with archive.open("rb") as packed:
            subprocess.run(["tar", "-x"], stdin=packed, cwd=home, check=True, **as_user(owner))
        port = free_port()
        settings = COMMON | ({} if durable else CARELESS) | {"port": str(port), "unix_socket_directories": ""}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = home / "log"
        with log.open("wb") as output:
            child = world.start("PostgreSQL", [binaries / "postgres", "-D", home / "data", *words], cwd=home / "data",
                                stdout=output, stderr=output, end=signal.SIGQUIT, **as_user(owner))
        if wait_until(lambda: answers(home / "data"), child, 30, "PostgreSQL"):
            return Postgres(f"postgres://{USER}:{password}@127.0.0.1:{port}/{DATABASE}", binaries)
        world.children.remove(child)
        child.stop()
    raise Refusal(f"PostgreSQL does not start: {log.read_text(errors='replace')[-2000:]}")


def answers(data):
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def find():
    """The directory of the server's programs; installs the server if there is none."""
    return search() or install(PACKAGES, PURPOSE) or search() or missing()


def lacks():
    """{what is missing: its Debian packages}"""
    return {} if search() else {PURPOSE: PACKAGES}


def search():
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    found = sorted((p for p in versions if p.with_name("initdb").exists()), key=lambda p: int(p.parts[-3]), reverse=True)
    if found:
        return found[0].parent
    # pg_config names the programs of its own installation; on PATH they may be links into it.
    places = []
    if shutil.which("pg_config"):
        run = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        places.append(Path(run.stdout.strip() or "/nonexistent"))
    places += [Path(p).resolve().parent for p in (shutil.which("postgres"), shutil.which("initdb")) if p]
    return next((p for p in places if all((p / n).exists() for n in ("postgres", "initdb", "psql"))), None)


def missing():
    raise Refusal(f"Missing: {PURPOSE}; postgres, initdb and psql were not found. Install it and try again.")


def unprivileged():
    """The user to run as: None for ourselves, unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Refusal("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")


def as_user(owner):
    """The options of subprocess that change the user."""
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def give(path, owner):
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def template(binaries, owner):
    """A packed, initialised data directory and its password. The template is made once per version."""
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    name = re.search(r"\d[\d.]*", version)[0]
    archive, secret = CACHE / f"postgres-{name}.tar", CACHE / f"postgres-{name}.password"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (archive.exists() and secret.exists()):
            password = secrets.token_urlsafe(18)
            secret.touch(0o600)
            secret.write_text(password)
            make_template(binaries, owner, password, archive)
    return archive, secret.read_text()


def make_template(binaries, owner, password, archive):
    from tempfile import TemporaryDirectory

    def step(argv, **options):
        ran = subprocess.run(argv, cwd=home, **({"capture_output": True} | as_user(owner) | options))
        if ran.returncode:
            raise Refusal(f"{Path(argv[0]).name} failed: {(ran.stderr or b'').decode(errors='replace')[-2000:]}")

    with TemporaryDirectory(prefix="chandlery-template-") as home:
        give(home, owner)
        word = Path(home, "word")
        word.write_text(password)
        give(word, owner)
        step([binaries / "initdb", "-D", "data", "-U", USER, "--pwfile", "word", "-A", "scram-sha-256", "-E", "UTF8",
              "--locale=C", "--no-sync"])
        step([binaries / "postgres", "--single", "-D", "data", "postgres"], input=f"CREATE DATABASE {DATABASE};\n".encode())
        half = archive.with_suffix(".half")
        with half.open("wb") as packed:
            step(["tar", "-c", "data"], capture_output=False, stdout=packed, stderr=subprocess.PIPE)
        half.replace(archive)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
