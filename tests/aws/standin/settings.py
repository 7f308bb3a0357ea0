"""How moto is set: before its first import, and in one place."""

import logging
import os

# The account comes from the access key (credentials), never from the environment.
os.environ.pop("MOTO_ACCOUNT_ID", None)
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"
# Our own engine decides who may do what (authorize); moto's stays off.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "inf"
# What moto asks of the network it must not get.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")

logging.disable(logging.CRITICAL)

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
