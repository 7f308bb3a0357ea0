"""Failures that a test orders, for one account.

A rule: {"service", "operation", "skip": 0, "times": 1, "call": N, "mode": ...}. service and operation may be absent or
"*". `skip` matching calls pass first, then the rule applies `times` times (null: for ever). `call` N (0-based) names
the N-th call of the account since the rules were put, whatever it is; such a rule applies to that call alone.
The first rule that applies to a call is taken. Modes:

    error       {"code", "message", "status": 400, "retry_after": seconds}   in the protocol's own form; nothing is done
    throttle    the service's own throttling error ("retry_after" optional); nothing is done
    latency     {"seconds"}   the call is carried out that much later
    refuse      the connection is cut before anything is done
    lose_reply  the call is carried out, then the connection is cut
"""

from .errors import AwsError

MODES = ("error", "throttle", "latency", "refuse", "lose_reply")

# (code, message, status) where a service's throttling error is not "ThrottlingException: Rate exceeded" with 400.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (SlowDown, 503),
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and .../STS/... (Throttling, 400),
# botocore's sqs model (RequestThrottled), https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
THROTTLES = {
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "iam": ("Throttling", "Rate exceeded", 400),
    "sts": ("Throttling", "Rate exceeded", 400),
    "rds": ("Throttling", "Rate exceeded", 400),
    "sqs": ("RequestThrottled", "Request is throttled.", 400),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
}


class Faults:
    def __init__(self):
        self.rules = []
        self.seen = 0

    def put(self, rules):
        checked = []
        for rule in rules:
            if rule.get("mode") not in MODES:
                raise ValueError(f"mode must be one of {', '.join(MODES)}, not {rule.get('mode')!r}")
            if rule["mode"] == "latency" and not isinstance(rule.get("seconds"), (int, float)):
                raise ValueError("latency needs seconds")
            if rule["mode"] == "error" and not rule.get("code"):
                raise ValueError("error needs a code")
            unknown = set(rule) - {
                "service",
                "operation",
                "skip",
                "times",
                "call",
                "mode",
                "code",
                "message",
                "status",
                "retry_after",
                "seconds",
            }
            if unknown:
                raise ValueError(f"unknown fields of a rule: {', '.join(sorted(unknown))}")
            checked.append({"skip": 0, "times": 1, **rule})
        self.rules = checked
        self.seen = 0

    def take(self, call):
        """The rule that applies to this call, if any; counts it."""
        number = self.seen
        self.seen += 1
        for rule in self.rules:
            if rule.get("service") not in (None, "*", call.service):
                continue
            if rule.get("operation") not in (None, "*", call.operation):
                continue
            if rule.get("call") is not None:
                if rule["call"] == number:
                    return rule
                continue
            if rule["times"] is not None and rule["times"] <= 0:
                continue
            if rule["skip"] > 0:
                rule["skip"] -= 1
                continue
            if rule["times"] is not None:
                rule["times"] -= 1
            return rule
        return None


def injected(call, rule):
    """The error a rule of mode `error` or `throttle` orders."""
    headers = {"Retry-After": str(rule["retry_after"])} if rule.get("retry_after") is not None else {}
    if rule["mode"] == "throttle":
        code, message, status = THROTTLES.get(call.service, ("ThrottlingException", "Rate exceeded", 400))
        return AwsError(code, message, status, headers)
    return AwsError(rule["code"], rule.get("message", "injected by the test"), int(rule.get("status", 400)), headers)
