"""The policies that an identity has, as IAM holds them now."""

import json
from functools import lru_cache

from moto.iam.models import iam_backends

from .tags import entity_tags, role_tags
from .world import world


class Policies:
    __slots__ = ("identity", "boundary", "session")

    def __init__(self, identity=(), boundary=None, session=()):
        self.identity = identity
        self.boundary = boundary
        self.session = session


@lru_cache(maxsize=4096)
def document(text):
    return json.loads(text)


def default_version(policy):
    return document(next(v.document for v in policy.versions if v.is_default))


def holder_of(identity):
    """moto's user or role behind an identity, or None if it is gone."""
    iam = iam_backends[identity.account]["aws"]
    if identity.kind == "user":
        return iam.users.get(identity.name)
    if identity.kind == "role":
        return next((r for r in iam.roles.values() if r.name == identity.name), None)
    return None


def policies_of(identity):
    """A principal that is gone has no policies, hence no permissions."""
    holder = holder_of(identity)
    if holder is None:
        return Policies(session=identity.session_policies)
    iam = iam_backends[identity.account]["aws"]
    hidden = world.account(identity.account).visibility.hidden
    found = [
        document(text)
        for name, text in holder.policies.items()
        if not hidden("policy", f"{identity.kind}/{identity.name}/{name}")
    ]
    found += [default_version(p) for p in holder.managed_policies.values()]
    if identity.kind == "user":
        for group in iam.groups.values():
            if holder in group.users:
                found += [document(text) for text in group.policies.values()]
                found += [default_version(p) for p in group.managed_policies.values()]
    return Policies(found, boundary_of(iam, holder), identity.session_policies)


def boundary_arn(holder):
    boundary = getattr(holder, "permissions_boundary_arn", None)
    if boundary is None and isinstance(getattr(holder, "permissions_boundary", None), dict):
        boundary = holder.permissions_boundary["PermissionsBoundaryArn"]
    return boundary


def boundary_of(iam, holder):
    """The boundary's document. One whose policy is gone allows nothing."""
    arn = boundary_arn(holder)
    if not arn:
        return None
    policy = iam.managed_policies.get(arn)
    return default_version(policy) if policy else {"Version": "2012-10-17", "Statement": []}


def tags_of(identity):
    holder = holder_of(identity)
    if holder is None:
        return dict(identity.session_tags)
    own = (
        role_tags(holder) if identity.kind == "role" else entity_tags(iam_backends[identity.account]["aws"], holder.arn)
    )
    return {**own, **identity.session_tags}
