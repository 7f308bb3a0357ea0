"""IAM users and access keys: what moto drops or allows and AWS does not."""
from moto.iam.models import iam_backends

from ..credentials import keys
from . import registry
import re


@registry.after("iam", "CreateAccessKey")
def remember_key(call, response):
    key_id = re.search(rb"<AccessKeyId>(\w+)</AccessKeyId>", response.body).group(1).decode()
    iam = iam_backends[call.account]["aws"]
    key = iam.access_keys[key_id]
    keys.add_user_key(call.account, iam.users[key.user_name], key)


@registry.after("iam", "DeleteAccessKey")
def forget_key(call, response):
    keys.remove(call.params["AccessKeyId"])
