"""The only changes made to moto itself, at run time; everything else stands beside it.

S3: moto judges bucket policies on its own, without conditions (a "deny without TLS" refuses everybody). Ours has judged already.
"""

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL
