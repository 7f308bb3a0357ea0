"""KMS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html

A key's own policy must allow, directly or by trusting its account:
https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

from moto.kms.models import kms_backends

from .actions import Need
from .context import request_tags
from .principals import document


def find_key(account, region, name):
    """The key that an id, ARN, alias or alias ARN names, or None."""
    if not name:
        return None
    if name.startswith("arn:"):
        parts = name.split(":", 5)
        region, account, name = parts[3], parts[4], parts[5]
        name = name[len("key/") :] if name.startswith("key/") else name
    if account not in kms_backends or not region:
        return None
    backend = kms_backends[account][region]
    if name.startswith("alias/"):
        return next((key for key in backend.keys.values() if name in key.aliases), None)
    return backend.keys.get(name)


def key_need(action, key, context=None):
    """Use of a key, also by another service for the caller."""
    return Need(action, key.arn, context, document(key.policy), key.account_id, own_word=True)


def needs(call):
    params = call.params
    name = params.get("KeyId") or params.get("TargetKeyId")
    alias = f"arn:aws:kms:{call.region}:{call.account}:{params.get('AliasName')}"
    if call.operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        key = find_key(call.account, call.region, name or params.get("AliasName"))
        found = [Need(f"kms:{call.operation}", alias)]
        return found + ([key_need(f"kms:{call.operation}", key)] if key else [])
    if name:
        key = find_key(call.account, call.region, name)
        if key is None:
            return [
                Need(f"kms:{call.operation}", f"arn:aws:kms:{call.region}:{call.account}:key/{name.rsplit('/', 1)[-1]}")
            ]
        context = {f"kms:encryptioncontext:{k}".lower(): v for k, v in (params.get("EncryptionContext") or {}).items()}
        actions = {"ReEncrypt": ["kms:ReEncryptFrom"]}.get(call.operation, [f"kms:{call.operation}"])
        return [key_need(action, key, context) for action in actions]
    if call.operation in ("Decrypt", "ReEncrypt"):
        key = ciphertext_key(call)
        return [key_need("kms:Decrypt" if call.operation == "Decrypt" else "kms:ReEncryptFrom", key)] if key else []
    tags = {t.get("TagKey", ""): t.get("TagValue", "") for t in params.get("Tags") or ()}
    found = [Need(f"kms:{call.operation}", "*", request_tags(tags))]
    return found + ([Need("kms:TagResource", "*", request_tags(tags))] if tags else [])


def ciphertext_key(call):
    """The key that a ciphertext names: moto puts its id (36 characters) in front."""
    blob = call.params.get("CiphertextBlob") or b""
    return find_key(call.account, call.region, bytes(blob[:36]).decode("utf-8", "replace"))
