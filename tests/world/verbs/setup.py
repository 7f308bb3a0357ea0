"""setup: everything that building and testing needs and a bare machine lacks, before time is spent on building."""

import aws
import postgres
from system import need_compiler, need_component


def main(arguments):
    need_compiler()
    if "lint" in arguments:
        need_component("fmt", "rustfmt")
        need_component("clippy", "clippy")
    postgres.find()
    aws.interpreter()
    return 0
