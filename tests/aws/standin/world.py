"""What the stand-in knows beside moto's state, account by account.

Everything a test can set is per account, so that tests run side by side on one server. An account springs into being
when it is first named and is gone when it is deleted.
"""

from .calls import Journal
from .faults import Faults
from .visibility import Visibility


class Account:
    def __init__(self, number):
        self.number = number
        self.journal = Journal()
        self.faults = Faults()
        self.visibility = Visibility()
        self.queue_name_cooldown = False
        self.deleted_queues = {}  # (region, name) -> time of deletion


class World:
    def __init__(self):
        self.accounts = {}
        self.journal = Journal(keep_list=False)

    def account(self, number):
        found = self.accounts.get(number)
        if found is None:
            found = self.accounts[number] = Account(number)
        return found

    def forget(self, number):
        """Drops the account: ours and moto's, every service and region of it, and the bucket names it held."""
        from moto.core.base_backend import BackendDict
        from moto.s3.models import s3_backends

        from .credentials import keys

        self.accounts.pop(number, None)
        keys.forget_account(number)
        for name, owner in list(s3_backends.bucket_accounts.items()):
            if owner[1] == number:
                s3_backends.bucket_accounts.pop(name, None)
        for backend in list(BackendDict._instances):
            backend.pop(number, None)


world = World()
