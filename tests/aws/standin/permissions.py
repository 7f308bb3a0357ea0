"""The verdict over all policies that concern one action on one resource.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit Deny anywhere
wins. In one account the resource's policy or the identity's policies must allow; a permissions boundary and a session
policy limit what the identity's policies (and a grant to the role, not one to the user or the session itself) give.
Across accounts both sides must allow. Some resources must always allow by their own policy (`own_word`): KMS keys and
roles to assume.
"""

from .policy import ALLOW, ANYONE, DENY, EXACT, ROLE, effect, resource_effect


class Verdict:
    """`allowed`, and if not, AWS's words for why."""

    def __init__(self, allowed, why=""):
        self.allowed = allowed
        self.why = why

    def __bool__(self):
        return self.allowed


YES = Verdict(True)


def explicit(kind):
    return Verdict(False, f"with an explicit deny in {kind}")


def silent(kind, action):
    return Verdict(False, f"because no {kind} allows the {action} action")


def judge(identity, policies, action, resource, context, resource_policy=None, owner=None, own_word=False):
    """`policies`: the identity's own (identity, boundary or None, session list). `owner`: the resource's account."""
    same_account = owner is None or owner == identity.account
    said, named = (None, None)
    if resource_policy is not None:
        said, named = resource_effect(resource_policy, identity, action, resource, context)
        if said == DENY:
            return explicit("a resource-based policy")
    if identity.kind == "anonymous":
        return YES if said == ALLOW else silent("resource-based policy", action)
    if identity.kind == "root":
        if not same_account or own_word:
            return YES if said == ALLOW else silent("resource-based policy", action)
        return YES
    own = effect(policies.identity, action, resource, context)
    boundary = effect([policies.boundary], action, resource, context) if policies.boundary is not None else ALLOW
    session = [effect([document], action, resource, context) for document in policies.session]
    for value, kind in ((own, "an identity-based policy"), (boundary, "a permissions boundary")):
        if value == DENY:
            return explicit(kind)
    if DENY in session:
        return explicit("a session policy")
    limited = boundary == ALLOW and (not session or ALLOW in session)
    if said == ALLOW and same_account:
        if named == EXACT or (named == ANYONE and identity.kind == "user"):
            return YES
        if named in (ROLE, ANYONE) and limited:
            return YES
    if said != ALLOW and (not same_account or own_word):
        return silent("resource-based policy", action)
    if own != ALLOW:
        return silent("identity-based policy", action)
    if boundary != ALLOW:
        return silent("permissions boundary", action)
    if session and ALLOW not in session:
        return silent("session policy", action)
    return YES
