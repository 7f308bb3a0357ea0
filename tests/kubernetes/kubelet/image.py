"""The image, read from the Dockerfile, with the program that the tests built: what `docker build` would put there."""

import json
import re
import shlex
from pathlib import Path

# Of the last stage's base: its user, and what it sets.
DISTROLESS = {"user": 65532, "environment": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                             "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}}
# What the base has of a C library and certificates, from this machine.
HOST = ("/usr", "/lib", "/lib64", "/etc/ssl")
KNOWN = {"FROM", "LABEL", "COPY", "ENV", "EXPOSE", "USER", "ENTRYPOINT", "CMD"}


class Image:
    """entrypoint, command, environment, user; `mounts`: [(path here, path there)]."""

    def __init__(self, dockerfile, program):
        self.user, self.environment = DISTROLESS["user"], dict(DISTROLESS["environment"])
        self.entrypoint, self.command, self.mounts = [], [], []
        context = Path(dockerfile).parent
        for word, rest in last_stage(Path(dockerfile).read_text()):
            if word not in KNOWN:
                raise ValueError(f"{dockerfile}: {word} is not understood")
            if word == "ENV":
                self.environment |= dict(part.split("=", 1) for part in shlex.split(rest))
            elif word == "ENTRYPOINT":
                self.entrypoint = json.loads(rest)
            elif word == "CMD":
                self.command = json.loads(rest)
            elif word == "USER":
                assert rest == "nonroot", rest
            elif word == "COPY":
                self.mounts.append(copied(rest, context, program))
        if not any(there == self.entrypoint[0] for _, there in self.mounts):
            raise ValueError(f"{dockerfile}: the entry point {self.entrypoint[0]} is not copied")


def last_stage(text):
    text = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    first = max(index for index, line in enumerate(lines) if line[0].upper() == "FROM")
    return [(line[0].upper(), line[1]) for line in lines[first:]]


def copied(rest, context, program):
    *flags, source, target = rest.split()
    if any(flag.startswith("--from=") for flag in flags):
        # What another stage compiled is what the tests compiled.
        return str(program), target
    return str((context / source).resolve()), target.rstrip("/")
