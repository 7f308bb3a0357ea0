"""kill -9 in the middle of a call to AWS: how long until another replica has ended the operation."""

import time

SLOW = [{"service": "s3", "operation": "PutBucketEncryption", "mode": "latency", "seconds": 4, "times": 1}]


def measure(house, _options):
    database, account = house.database(), house.account()
    first = house.replica(database, account)
    house.aws("PUT", f"accounts/{account}/faults", {"rules": SLOW})
    answer = first.osb.put("/v2/service_instances/i", first.provision_body(), accepts_incomplete="true")
    while not house.aws("GET", f"accounts/{account}/calls")["counts"].get("s3:PutBucketEncryption"):
        time.sleep(0.01)
    second = house.replica(database, account)
    first.kill()
    began = time.monotonic()
    second.settle("i", answer.body["operation"])
    took = time.monotonic() - began
    buckets = house.aws("GET", f"accounts/{account}/inventory")["buckets"]
    second.stop()
    return {"kill_to_succeeded_s": took, "buckets": len(buckets)}
