"""Where things are, and the one kind of error that is meant for a person."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute()
# What takes time to make and may be kept between runs: the database template, the stand-in's venv, tools.
CACHE = TARGET / "world"
CATALOG = ROOT / "catalog"
CHART = ROOT / "charts" / "chandlery"
MIGRATIONS = ROOT / "migrations"
STANDIN = ROOT / "tests" / "aws"
TOOLS = ROOT / "tests" / "kubernetes" / "tools"

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-central-1"


class Refusal(Exception):
    """A sentence that says what is missing and what to do. Shown without a traceback."""


def given(name):
    """The value of an environment variable; an empty one counts as not given."""
    return os.environ.get(name) or None


def without_aws(environment):
    """A copy without anything that could lead an AWS SDK to a person's own account."""
    kept = {"AWS_CA_BUNDLE"}
    clean = {k: v for k, v in environment.items() if not k.startswith("AWS_") or k in kept}
    none = "/dev/null"
    return clean | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none}


def without_kubernetes(environment):
    """A copy without anything that could lead a Kubernetes client to a person's own cluster."""
    clean = {k: v for k, v in environment.items() if not k.startswith(("KUBERNETES_SERVICE_", "HELM_"))}
    # Without the variable a client would read ~/.kube/config.
    return clean | {"KUBECONFIG": "/dev/null"}
