"""Is a document a policy? The grammar and the principals of resource policies, for S3 and SQS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. A principal that is named must exist
and be visible: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html ("... if
you specify ... that does not exist, ... Invalid principal in policy").
"""

import json
import re

from moto.iam.models import iam_backends

from .conditions import as_list, known
from .world import world

VERSIONS = ("2008-10-17", "2012-10-17")
ELEMENTS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
ENTITY = re.compile(r"arn:aws:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")


class Malformed(Exception):
    pass


def resource_policy(text, service, resource_ok, principal_missing="Missing required field Principal"):
    """The parsed document, or Malformed with AWS's words for the first thing wrong with it."""
    try:
        document = json.loads(text)
    except (ValueError, TypeError):
        raise Malformed("Policies must be valid JSON and the first byte must be '{'") from None
    if not isinstance(document, dict):
        raise Malformed("Policies must be valid JSON and the first byte must be '{'")
    if set(document) - {"Version", "Id", "Statement"}:
        raise Malformed(f"Unknown field {sorted(set(document) - {'Version', 'Id', 'Statement'})[0]}")
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise Malformed("The policy must contain a valid version string")
    entries = as_list(document.get("Statement", []))
    if not entries:
        raise Malformed("Missing required field Statement")
    sids = set()
    for statement in entries:
        check_statement(statement, service, resource_ok, principal_missing)
        if statement.get("Sid") and statement["Sid"] in sids:
            raise Malformed("Statement IDs (SID) in a single policy must be unique.")
        sids.add(statement.get("Sid"))
    return document


def check_statement(statement, service, resource_ok, principal_missing):
    if not isinstance(statement, dict):
        raise Malformed("Statement must be an object")
    unknown = set(statement) - ELEMENTS
    if unknown:
        raise Malformed(f"Unknown field {sorted(unknown)[0]}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise Malformed(
            f"Invalid effect: {statement.get('Effect')}" if "Effect" in statement else "Missing required field Effect"
        )
    for one, other, message in (
        ("Principal", "NotPrincipal", principal_missing),
        ("Action", "NotAction", "Missing required field Action"),
        ("Resource", "NotResource", "Missing required field Resource"),
    ):
        if (one in statement) == (other in statement):
            raise Malformed(message)
    for action in as_list(statement.get("Action", statement.get("NotAction"))):
        if not isinstance(action, str) or (action != "*" and action.partition(":")[0].lower() != service):
            raise Malformed("Policy has invalid action")
    for resource in as_list(statement.get("Resource", statement.get("NotResource"))):
        if not isinstance(resource, str) or not resource_ok(resource):
            raise Malformed("Policy has invalid resource")
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(block, dict) for block in condition.values()):
        raise Malformed("Condition must be an object")
    for operator in condition:
        if not known(operator):
            raise Malformed(f"Invalid Condition type : {operator}")
    check_principal(statement.get("Principal", statement.get("NotPrincipal")))


def check_principal(principal):
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise Malformed("Invalid principal in policy")
    for kind, names in principal.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser"):
            raise Malformed("Invalid principal in policy")
        for name in as_list(names):
            if not isinstance(name, str) or (kind == "AWS" and not exists(name)):
                raise Malformed("Invalid principal in policy")


def exists(name):
    if name == "*" or re.fullmatch(r"\d{12}", name) or re.fullmatch(r"arn:aws:iam::\d{12}:root", name):
        return True
    if re.fullmatch(r"arn:aws:sts::\d{12}:assumed-role/[^/]+/[^/]+", name) or re.fullmatch(
        r"A(ID|RO)A[A-Z0-9]{12,}", name
    ):
        return True
    found = ENTITY.fullmatch(name)
    if not found:
        return False
    account, kind, entity = found.groups()
    iam = iam_backends[account]["aws"]
    if kind == "user":
        holder = iam.users.get(entity)
    else:
        holder = next((r for r in iam.roles.values() if r.name == entity), None)
    return holder is not None and holder.arn == name and not world.account(account).visibility.hidden(kind, entity)
