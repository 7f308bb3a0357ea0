"""setup: everything that building and testing needs and a bare machine lacks, before time is spent on building."""

import aws
import postgres
import programs
from system import compiler_lacks, install, need_component, need_rust
from world import World


def main(arguments):
    need_rust()
    if "lint" in arguments:
        need_component("fmt", "rustfmt")
        need_component("clippy", "clippy")
    # All at once: one installation, or one sentence.
    lacking = compiler_lacks() | postgres.lacks() | aws.lacks()
    if lacking:
        install([package for packages in lacking.values() for package in packages], ", ".join(lacking))
    postgres.find()
    aws.interpreter()
    if "kubernetes" in arguments:
        with World() as world:
            programs.find(world)
    return 0
