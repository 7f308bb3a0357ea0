"""Facts out of botocore's data that several places need."""

from botocore.session import Session

REGIONS = frozenset(Session().get_available_regions("sqs"))
