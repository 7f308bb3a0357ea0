"""Prints as JSON what exists in the account of the environment's credentials: {"buckets": [names], ...}. For endpoints
other than our stand-in, which tells more by itself. Run by the stand-in's Python, which has boto3."""

import json

import boto3

if __name__ == "__main__":
    urls = boto3.client("sqs").list_queues().get("QueueUrls", [])
    pages = boto3.client("iam").get_paginator("list_users").paginate()
    print(json.dumps({
        "buckets": sorted(b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]),
        "queues": sorted(url.rpartition("/")[2] for url in urls),
        "users": sorted(user["UserName"] for page in pages for user in page["Users"]),
    }))
