"""Lifecycle rules: kept, checked, given back; objects do not age here.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html (30 days before
the -IA classes and in them, and only downwards: the "waterfall" of its figure).
"""

import uuid

from ..errors import AwsError
from ..http import Response
from . import registry

ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)
SLOW = ("STANDARD_IA", "ONEZONE_IA")
WATERFALL = ("STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
MALFORMED = AwsError(
    "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
)


def invalid(message):
    return AwsError("InvalidArgument", message)


@registry.instead("s3", "PutBucketLifecycleConfiguration")
def put(call):
    rules = (call.params.get("LifecycleConfiguration") or {}).get("Rules") or []
    if not 1 <= len(rules) <= 1000:
        raise MALFORMED
    names = set()
    for rule in rules:
        rule.setdefault("ID", str(uuid.uuid4()))
        if len(rule["ID"]) > 255:
            raise invalid("ID length should not exceed allowed limit of 255")
        if rule["ID"] in names:
            raise invalid("Rule ID must be unique. Found same ID for more than one rule")
        names.add(rule["ID"])
        check(rule)
    size = call.params.get("TransitionDefaultMinimumObjectSize") or "all_storage_classes_128K"
    call.bucket.standin["lifecycle"] = {"Rules": rules, "TransitionDefaultMinimumObjectSize": size}
    return Response(200, {"x-amz-transition-default-minimum-object-size": size})


@registry.instead("s3", "GetBucketLifecycleConfiguration")
def get(call):
    found = call.bucket.standin.get("lifecycle")
    if found is None:
        raise AwsError(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
            404,
            BucketName=call.bucket.name,
        )
    return found


@registry.instead("s3", "DeleteBucketLifecycle")
def delete(call):
    call.bucket.standin.pop("lifecycle", None)
    return Response(204, {})


def check(rule):
    if ("Filter" in rule) == ("Prefix" in rule):
        raise MALFORMED
    chosen = rule.get("Filter") or {}
    if len(chosen) > 1:
        raise MALFORMED
    if not any(rule.get(action) for action in ACTIONS):
        raise AwsError("InvalidRequest", "At least one action needs to be specified in a rule")
    tagged = "Tag" in chosen or bool((chosen.get("And") or {}).get("Tags"))
    if tagged and rule.get("AbortIncompleteMultipartUpload"):
        raise AwsError("InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags.")
    expiration = rule.get("Expiration") or {}
    if expiration and len(expiration) != 1:
        raise MALFORMED
    if tagged and expiration.get("ExpiredObjectDeleteMarker"):
        raise AwsError("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags.")
    for where, name, value in days(rule):
        if value is not None and value < (0 if where == "Transition" else 1):
            raise invalid(f"'{name}' for {where} action must be a positive integer")
    check_transitions(rule, expiration)


def days(rule):
    yield "Expiration", "Days", (rule.get("Expiration") or {}).get("Days")
    yield (
        "NoncurrentVersionExpiration",
        "NoncurrentDays",
        (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays"),
    )
    yield (
        "AbortIncompleteMultipartUpload",
        "DaysAfterInitiation",
        (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    )
    for transition in rule.get("Transitions") or ():
        yield "Transition", "Days", transition.get("Days")


def check_transitions(rule, expiration):
    seen = set()
    for kind, name in (("Transitions", "Days"), ("NoncurrentVersionTransitions", "NoncurrentDays")):
        for transition in rule.get(kind) or ():
            storage = transition.get("StorageClass")
            if storage is None or (kind == "Transitions" and ("Days" in transition) == ("Date" in transition)):
                raise MALFORMED
            if (kind, storage) in seen:
                raise invalid(f"'StorageClass' must be different for '{kind[:-1]}' actions in same 'Rule'")
            seen.add((kind, storage))
            number = transition.get(name)
            if number is not None and storage in SLOW and number < 30:
                raise invalid(
                    f"'{name}' in {kind[:-1]} action must be greater than or equal to 30 for storageClass '{storage}'"
                )
            if (
                kind == "Transitions"
                and number is not None
                and expiration.get("Days") is not None
                and expiration["Days"] <= number
            ):
                raise invalid(
                    "'Days' in the Expiration action for filter must be greater than 'Days' in the Transition action"
                )
        check_order(kind, name, rule.get(kind) or ())


def check_order(kind, name, transitions):
    counted = [t for t in transitions if t.get(name) is not None]
    for earlier in counted:
        for later in counted:
            first, then = (t["StorageClass"] for t in (earlier, later))
            if WATERFALL.index(then) <= WATERFALL.index(first):
                continue
            if (first, then) == ("ONEZONE_IA", "GLACIER_IR"):
                raise invalid(f"'{kind[:-1]}' from storageClass '{first}' to '{then}' is not supported")
            least = earlier[name] + (30 if first in SLOW else 1)
            if later[name] < least:
                raise invalid(
                    f"'{name}' in the {kind[:-1]} action for StorageClass '{then}' must be at least {least}, after the "
                    f"{kind[:-1]} action for StorageClass '{first}'"
                )
