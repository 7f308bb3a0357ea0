"""Becomes a container: python3 container.py SPECIFICATION.json. Needs the right to mount, as root or in a user namespace.

What is outside its root is out of its reach, its root is read-only if it shall be, it has the user and groups that it shall
have, no capability and no way to gain one, and it ends with whoever started it.
"""

import ctypes
import json
import os
import signal
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def main(specification):
    with open(specification) as file:
        wanted = json.load(file)
    parent = os.getppid()
    root, user, group = wanted["root"], wanted["user"], wanted["group"]
    isolate(user, group)
    mount(None, "/", MS_REC | MS_PRIVATE)
    mount(root, root, MS_BIND)
    for source, place, writable in wanted["mounts"]:
        target = root + place
        mount(source, target, MS_BIND | MS_REC)
        if not writable:
            protect(target)
    if wanted["read_only"]:
        protect(root)
    os.chroot(root)
    os.chdir("/")
    if os.getuid() != user or os.getgid() != group:
        # Leaving root behind takes every capability away.
        os.setgroups(wanted["groups"])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    check(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    if os.getppid() != parent:
        sys.exit("whoever started this is gone")
    os.execve(wanted["arguments"][0], wanted["arguments"], wanted["environment"])


def isolate(user, group):
    if os.geteuid() == 0:
        check(LIBC.unshare(CLONE_NEWNS), "unshare")
        return
    me, mine = os.getuid(), os.getgid()
    check(LIBC.unshare(CLONE_NEWNS | CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {me} 1"), ("gid_map", f"{group} {mine} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def protect(place):
    # The flags that the file system has already cannot be taken off in a user namespace.
    kept = os.statvfs(place).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)
    mount(None, place, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def mount(source, target, flags):
    encoded = None if source is None else source.encode()
    check(LIBC.mount(encoded, target.encode(), None, flags, None), f"mount {source} {target}")


def check(status, what):
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1])
