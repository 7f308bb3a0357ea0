"""Roles: the boundary exists, the trust policy's principals exist.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html, .../API_UpdateAssumeRolePolicy.html
(MalformedPolicyDocument: "Invalid principal in policy").
"""

import json

from ..conditions import as_list
from ..errors import AwsError
from ..grammar import exists
from ..policy import statements
from ..world import world
from . import registry
from .iam_users import boundary_document, check_tags


@registry.before("iam", "CreateRole", "UpdateAssumeRolePolicy")
def check_trust(call):
    text = call.params.get("AssumeRolePolicyDocument") or call.params.get("PolicyDocument")
    try:
        document = json.loads(text)
    except ValueError:
        raise AwsError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    for statement in statements(document if isinstance(document, dict) else {}):
        principal = statement.get("Principal")
        for name in as_list(principal.get("AWS", [])) if isinstance(principal, dict) else []:
            if not exists(str(name)):
                raise AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"')


@registry.before("iam", "CreateRole")
def check_boundary(call):
    check_tags(call.params.get("Tags") or [])
    if call.params.get("PermissionsBoundary"):
        boundary_document(call, call.params["PermissionsBoundary"])


@registry.before("iam", "PutRolePermissionsBoundary")
def put_boundary(call):
    boundary_document(call, call.params["PermissionsBoundary"])


@registry.after("iam", "CreateRole")
def made(call, response):
    world.account(call.account).visibility.made("role", call.params["RoleName"])
