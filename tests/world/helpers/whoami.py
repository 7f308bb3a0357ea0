"""Prints {"account", "partition", "region"} of the AWS credentials that an SDK finds here, or {"error": words}.
Run by the stand-in's Python, which has boto3."""

import json
import os

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if __name__ == "__main__":
    try:
        session = boto3.Session()
        # botocore does not read AWS_REGION, the other SDKs do.
        region = os.environ.get("AWS_REGION") or session.region_name
        who = session.client("sts", region_name=region or "us-east-1").get_caller_identity()
        print(json.dumps({"account": who["Account"], "partition": who["Arn"].split(":")[1], "region": region}))
    except (BotoCoreError, ClientError) as error:
        print(json.dumps({"error": str(error)}))
