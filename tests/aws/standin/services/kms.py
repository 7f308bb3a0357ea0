"""KMS: a key that is disabled or pending deletion does not work (moto lets it).

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html,
https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html (DisabledException, KMSInvalidStateException,
NotFoundException).
"""

from ..actions_kms import ciphertext_key, find_key
from ..errors import AwsError
from . import registry

USES = (
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
)


@registry.before("kms", *USES, "EnableKey", "DisableKey", "ScheduleKeyDeletion")
def usable(call):
    name = call.params.get("KeyId") or call.params.get("SourceKeyId")
    key = find_key(call.account, call.region, name) if name else ciphertext_key(call)
    if key is None:
        if name:
            raise AwsError("NotFoundException", f"Key '{name}' does not exist")
        return
    if key.key_state == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if key.key_state == "Disabled" and call.operation in USES:
        raise AwsError("DisabledException", f"{key.arn} is disabled.")
