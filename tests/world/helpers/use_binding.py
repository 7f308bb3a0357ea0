"""Uses the credentials of bindings as an application would. Run by the stand-in's Python, which has boto3.

Reads one JSON object on standard input: {"endpoint": URL or null, "bucket": credentials, "reader": credentials,
"queue": credentials}. Prints a JSON line per deed: {"what": words, "ok": bool, "detail": words}.
"""

import json
import sys
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

CONTENT = b"Fair winds."
# A new key may take AWS some seconds to be known everywhere; so long we are patient, in all.
PATIENT_UNTIL = time.monotonic() + 20
UNKNOWN_YET = {"InvalidAccessKeyId", "InvalidClientTokenId", "AccessDenied", "AccessDeniedException"}


def client(service, credentials, endpoint):
    return boto3.client(
        service, endpoint_url=endpoint, region_name=credentials["region"],
        aws_access_key_id=credentials["access_key_id"], aws_secret_access_key=credentials["secret_access_key"],
        config=Config(s3={"addressing_style": "path"} if endpoint else None, retries={"max_attempts": 2}, read_timeout=30))


def patiently(call, **arguments):
    while True:
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in UNKNOWN_YET or time.monotonic() > PATIENT_UNTIL:
                raise
            time.sleep(1)


def first(credentials, *names):
    found = next((credentials[n] for n in names if credentials.get(n)), None)
    if found is None:
        raise KeyError(f"the credentials have none of {', '.join(names)}; they have {', '.join(sorted(credentials))}")
    return found


def main(given):
    endpoint, key = given.get("endpoint"), f"demo/{uuid.uuid4()}.txt"
    bucket = first(given["bucket"], "bucket", "bucket_name", "name")
    writer, reader = client("s3", given["bucket"], endpoint), client("s3", given["reader"], endpoint)
    queues = client("sqs", given["queue"], endpoint)

    def put():
        patiently(writer.put_object, Bucket=bucket, Key=key, Body=CONTENT)
        return f"{len(CONTENT)} bytes at s3://{bucket}/{key}"

    def get():
        assert writer.get_object(Bucket=bucket, Key=key)["Body"].read() == CONTENT, "other bytes came back"
        return "the same bytes came back"

    def read_only_reads():
        assert patiently(reader.get_object, Bucket=bucket, Key=key)["Body"].read() == CONTENT, "other bytes came back"
        return "the same bytes came back"

    def read_only_cannot_write():
        try:
            reader.put_object(Bucket=bucket, Key=key + ".not", Body=CONTENT)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", f"refused, but with {error}"
            return "AccessDenied, as it should be"
        raise AssertionError("a read-only binding could write")

    def take_away():
        writer.delete_object(Bucket=bucket, Key=key)
        return "the object is gone"

    def send():
        sent = patiently(queues.send_message, QueueUrl=first(given["queue"], "queue_url", "url"), MessageBody=key)
        return f"message {sent['MessageId']}"

    def receive():
        url = first(given["queue"], "queue_url", "url")
        messages = queues.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
        assert [m["Body"] for m in messages] == [key], f"other messages came back: {messages}"
        queues.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
        return "the same message came back, and is deleted"

    deeds = [("put an object", put), ("get the object", get), ("read-only binding: get the object", read_only_reads),
             ("read-only binding: put an object", read_only_cannot_write), ("delete the object", take_away),
             ("send a message", send), ("receive the message", receive)]
    for what, deed in deeds:
        try:
            said = {"ok": True, "detail": deed()}
        except (ClientError, BotoCoreError, AssertionError, KeyError) as error:
            said = {"ok": False, "detail": str(error)}
        print(json.dumps({"what": what} | said), flush=True)


if __name__ == "__main__":
    main(json.load(sys.stdin))
