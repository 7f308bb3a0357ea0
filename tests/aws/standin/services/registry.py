"""Where our services stand beside moto's: per operation, something `before`, `instead` of or `after` moto.

A handler takes the Call. `before` may change it or raise AwsError. `instead` gives the members of the operation's
output (a dict), a Response, or a coroutine of either. `after` sees the successful Response and may give another.
`locator` runs before anything is permitted: it says which account's moto state the call is about, and raises what
AWS raises before it looks at permissions.
"""

from importlib import import_module

MODULES = (
    "patches",
    "sts",
    "iam_users",
    "iam_policies",
    "iam_roles",
    "sqs_queues",
    "sqs_messages",
    "sqs_moves",
    "kms",
    "tagging",
    "s3_buckets",
    "s3_settings",
    "s3_lifecycle",
    "s3_policy",
    "s3_logging",
    "s3_lock",
    "s3_objects",
    "s3_deletion",
    "s3_listing",
)


class Handlers:
    __slots__ = ("before", "instead", "after")

    def __init__(self):
        self.before = []
        self.instead = None
        self.after = []


_handlers = {}
_locators = {}
NOTHING = Handlers()


def handlers(call):
    return _handlers.get((call.service, call.operation), NOTHING)


def locate(call):
    for locator in _locators.get(call.service, ()):
        locator(call)


def _entries(service, operations):
    return [_handlers.setdefault((service, operation), Handlers()) for operation in operations]


def before(service, *operations):
    def add(function):
        for entry in _entries(service, operations):
            entry.before.append(function)
        return function

    return add


def instead(service, *operations):
    def add(function):
        for entry in _entries(service, operations):
            entry.instead = function
        return function

    return add


def after(service, *operations):
    def add(function):
        for entry in _entries(service, operations):
            entry.after.append(function)
        return function

    return add


def locator(service):
    def add(function):
        _locators.setdefault(service, []).append(function)
        return function

    return add


def load():
    for module in MODULES:
        import_module(f"standin.services.{module}")
