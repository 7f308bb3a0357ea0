"""python ARGS…: the Python that runs the stand-in, for its own probes and for looking around with boto3."""

import os

import aws
from settings import without_aws


def main(arguments):
    python = aws.interpreter()
    os.execve(python.program, [python.program, *arguments], python.environment(without_aws(os.environ)))
