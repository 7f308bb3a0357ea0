"""Who signs a request: access keys and the identities behind them.

- `AKIA` + 12 digits + `ROOT`: the administrator of that account, with any secret; never limited.
- a key that IAM CreateAccessKey or STS gave out here: that user or session, proved by its signature and limited by
  its policies.
- a key that looks real (20 characters, AKIA or ASIA) but that nobody made, or that was deleted: refused.
- anything else ("test"): the administrator of account 123456789012.
- no key at all: nobody (`ANONYMOUS`), whom only a resource's policy can let in.
"""

import re
import time

from .settings import DEFAULT_ACCOUNT

ROOT = re.compile(r"AKIA(\d{12})ROOT")
LOOKS_REAL = re.compile(r"(AKIA|ASIA)[A-Z0-9]{16}")


class Identity:
    """A principal as policies see it. `secret` is None where the signature need not be proved."""

    def __init__(self, kind, account, arn, user_id, name="", secret=None, **more):
        self.kind = kind  # root | user | role | anonymous
        self.account = account
        self.arn = arn
        self.user_id = user_id
        self.name = name  # of the user or of the role
        self.secret = secret
        self.token = more.get("token")
        self.expires = more.get("expires")
        self.session_policies = more.get("session_policies") or []
        self.session_tags = more.get("session_tags") or {}
        self.role_arn = more.get("role_arn")
        self.moto_key = more.get("moto_key")

    @property
    def enforced(self):
        return self.kind != "root"

    @property
    def expired(self):
        return self.expires is not None and time.time() >= self.expires

    @property
    def active(self):
        return self.moto_key is None or self.moto_key.status == "Active"


ANONYMOUS = Identity("anonymous", None, "*", "ANONYMOUS")


def administrator(account):
    return Identity("root", account, f"arn:aws:iam::{account}:root", account)


class Keys:
    """Every access key made here, and the accounts of those that are gone."""

    def __init__(self):
        self.live = {}
        self.former = {}  # deleted key -> account, so that its calls are still counted where they belong

    def add_user_key(self, account, user, moto_key):
        self.live[moto_key.access_key_id] = Identity(
            "user", account, user.arn, user.id, user.name, moto_key.secret_access_key, moto_key=moto_key
        )

    def add(self, key_id, identity):
        self.live[key_id] = identity

    def remove(self, key_id):
        identity = self.live.pop(key_id, None)
        if identity is not None:
            self.former[key_id] = identity.account

    def forget_account(self, account):
        for key_id in [k for k, identity in self.live.items() if identity.account == account]:
            self.remove(key_id)

    def find(self, key_id):
        """(identity or None, account). None: the key is not valid; the account is where the call is counted."""
        if key_id is None:
            return ANONYMOUS, DEFAULT_ACCOUNT
        known = self.live.get(key_id)
        if known is not None:
            return known, known.account
        root = ROOT.fullmatch(key_id)
        if root:
            return administrator(root.group(1)), root.group(1)
        if key_id in self.former:
            return None, self.former[key_id]
        if LOOKS_REAL.fullmatch(key_id):
            return None, DEFAULT_ACCOUNT
        return administrator(DEFAULT_ACCOUNT), DEFAULT_ACCOUNT


keys = Keys()
