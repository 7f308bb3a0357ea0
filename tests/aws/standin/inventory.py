"""Everything that exists in an account, straight from moto's state and sorted, for tests that look for orphans."""

import json

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from .tags import bucket_tags, entity_tags


def inventory(account, host):
    iam = iam_backends[account]["aws"]
    return {
        "buckets": [bucket(b) for b in by_name(s3_backends[account]["aws"].buckets)],
        "queues": [
            queue(q, host)
            for region in sorted(sqs_backends[account])
            for q in by_name(sqs_backends[account][region].queues)
        ],
        "users": [user(iam, u) for u in by_name(iam.users)],
        "roles": [role(r) for r in sorted(iam.roles.values(), key=lambda r: r.name)],
        "policies": [
            {"name": p.name, "arn": p.arn, "path": p.path, "attachments": p.attachment_count}
            for p in sorted(iam.managed_policies.values(), key=lambda p: p.arn)
            if f"::{account}:" in p.arn
        ],
        "kms_keys": [
            {"id": k.id, "arn": k.arn, "region": region, "state": k.key_state}
            for region in sorted(kms_backends[account])
            for k in sorted(kms_backends[account][region].keys.values(), key=lambda k: k.id)
        ],
    }


def by_name(things):
    return [things[name] for name in sorted(things)]


def bucket(b):
    versions = sum(len(b.keys.getlist(key)) for key in b.keys)
    return {
        "name": b.name,
        "region": b.region_name,
        "tags": bucket_tags(b),
        "objects": len(b.keys),
        "versions": versions,
        "uploads": len(b.multiparts),
    }


def queue(q, host):
    return {
        "name": q.name,
        "url": f"http://{host}/{q.account_id}/{q.name}",
        "arn": q.queue_arn,
        "region": q.region,
        "tags": dict(q.tags or {}),
        "messages": len(q._messages),
    }


def user(iam, u):
    return {
        "name": u.name,
        "path": u.path,
        "access_keys": sorted(k.access_key_id for k in u.access_keys),
        "policies": sorted(u.policies),
        "attached": sorted(u.managed_policies),
        "boundary": (getattr(u, "permissions_boundary", None) or {}).get("PermissionsBoundaryArn"),
        "tags": entity_tags(iam, u.arn),
    }


def role(r):
    return {
        "name": r.name,
        "path": r.path,
        "policies": sorted(r.policies),
        "attached": sorted(r.managed_policies),
        "trust": json.loads(r.assume_role_policy_document),
    }
