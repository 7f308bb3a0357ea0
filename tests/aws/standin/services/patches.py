"""The only changes made to moto itself, at run time; everything else stands beside it.

S3: moto judges bucket policies on its own, without conditions (a "deny without TLS" refuses everybody). Ours has
judged already. All: moto keeps every object it ever made for its dashboard, so that a server that runs for long only
grows. There is no dashboard here.
"""

from moto.core.common_models import BaseModel
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL
BaseModel.__new__ = lambda cls, *arguments, **options: object.__new__(cls)
