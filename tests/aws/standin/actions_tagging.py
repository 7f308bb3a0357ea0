"""The tagging API's actions begin with `tag:` and know no resources:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html"""

from .actions import Need


def needs(call):
    return [Need(f"tag:{call.operation}", "*")]
