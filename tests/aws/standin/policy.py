"""Which statements of a policy speak about a request, and what they say.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html. Documents are parsed JSON. A
request is (action, resource ARN, context); for policies of resources also the principal.
"""

from .conditions import as_list, holds
from .variables import action_pattern, matches

DENY, ALLOW = "Deny", "Allow"


def statements(document):
    return [s for s in as_list((document or {}).get("Statement", [])) if isinstance(s, dict)]


def version_of(document):
    return document.get("Version", "2008-10-17")


def action_fits(statement, action):
    if "Action" in statement:
        return any(action_pattern(a).fullmatch(action) for a in as_list(statement["Action"]))
    if "NotAction" in statement:
        return not any(action_pattern(a).fullmatch(action) for a in as_list(statement["NotAction"]))
    return False


def resource_fits(statement, resource, context, version):
    if "Resource" in statement:
        return any(matches(r, resource, context, version) for r in as_list(statement["Resource"]))
    if "NotResource" in statement:
        return not any(matches(r, resource, context, version) for r in as_list(statement["NotResource"]))
    return True  # a trust policy has no Resource


def speaks(statement, document, action, resource, context):
    version = version_of(document)
    return (
        action_fits(statement, action)
        and resource_fits(statement, resource, context, version)
        and holds(statement.get("Condition"), context, version)
    )


def effect(documents, action, resource, context):
    """Deny, Allow or None: what identity policies (or a boundary, or a session policy) say."""
    found = None
    for document in documents:
        for statement in statements(document):
            if speaks(statement, document, action, resource, context):
                if statement.get("Effect") == DENY:
                    return DENY
                found = ALLOW
    return found


# How closely a resource's policy names the caller.
ANYONE, ACCOUNT, ROLE, EXACT = "anyone", "account", "role", "exact"


def principal_match(principal, identity):
    """How the Principal element names this identity, or None.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    best = None
    for kind, names in ({"AWS": "*"} if principal == "*" else principal).items():
        if kind != "AWS":
            continue
        for name in as_list(names):
            if name == "*":
                best = best or ANYONE
            elif identity.kind == "anonymous":
                continue
            elif name == identity.account or name == f"arn:aws:iam::{identity.account}:root":
                best = EXACT if identity.kind == "root" else ACCOUNT if best is None else best
            elif name == identity.arn or name == identity.user_id:
                return EXACT
            elif identity.role_arn is not None and name == identity.role_arn:
                best = ROLE
    return best


def principal_fits(statement, identity):
    if "Principal" in statement:
        return principal_match(statement["Principal"], identity)
    if "NotPrincipal" in statement:
        return None if principal_match(statement["NotPrincipal"], identity) else ANYONE
    return None


def resource_effect(document, identity, action, resource, context):
    """(Deny | Allow | None, how the caller is named by the closest allowing statement)."""
    closest = None
    rank = (None, ACCOUNT, ROLE, ANYONE, EXACT)
    for statement in statements(document):
        named = principal_fits(statement, identity)
        if named and speaks(statement, document, action, resource, context):
            if statement.get("Effect") == DENY:
                return DENY, named
            if rank.index(named) > rank.index(closest):
                closest = named
    return (ALLOW if closest else None), closest
