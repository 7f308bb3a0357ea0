"""The condition keys that every request has.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html. The network is told by
headers, since there is none here: `x-standin-source-vpc` and `x-standin-source-vpce` make the request one that comes
through a VPC endpoint, and such a request has no aws:SourceIp (AWS puts aws:VpcSourceIp then); `x-standin-source-ip`
sets the address.
"""

import datetime
import time

from .principals import tags_of


def context_of(call):
    request, who = call.request, call.identity
    now = time.time()
    context = {
        "aws:securetransport": "true" if request.secure else "false",
        "aws:currenttime": datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now)),
        "aws:requestedregion": "us-east-1" if call.service in ("iam",) else call.region,
        "aws:viaawsservice": "false",
        "aws:principalisawsservice": "false",
        "aws:useragent": request.header("user-agent", ""),
    }
    if request.header("referer"):
        context["aws:referer"] = request.header("referer")
    vpc, endpoint = request.header("x-standin-source-vpc"), request.header("x-standin-source-vpce")
    address = request.header("x-standin-source-ip", request.peer)
    if vpc or endpoint:
        context["aws:vpcsourceip"] = address
        if vpc:
            context["aws:sourcevpc"] = vpc
        if endpoint:
            context["aws:sourcevpce"] = endpoint
    else:
        context["aws:sourceip"] = address
    if who.kind != "anonymous":
        context.update(principal_keys(who))
    else:
        context["aws:principaltype"] = "Anonymous"
    return context


def principal_keys(who):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable"""
    found = {
        "aws:principalarn": who.role_arn or who.arn,
        "aws:principalaccount": who.account,
        "aws:principaltype": {"root": "Account", "user": "User", "role": "AssumedRole"}[who.kind],
        "aws:userid": who.user_id,
    }
    if who.kind == "user":
        found["aws:username"] = who.name
    if who.kind != "root":
        for key, value in tags_of(who).items():
            found[f"aws:principaltag/{key}".lower()] = value
    return found


def request_tags(tags):
    """aws:RequestTag/* and aws:TagKeys of tags that a request carries."""
    found = {f"aws:requesttag/{key}".lower(): value for key, value in tags.items()}
    if tags:
        found["aws:tagkeys"] = list(tags)
    return found


def resource_tags(tags, service=None):
    found = {f"aws:resourcetag/{key}".lower(): value for key, value in tags.items()}
    if service:
        found.update({f"{service}:resourcetag/{key}".lower(): value for key, value in tags.items()})
    return found
