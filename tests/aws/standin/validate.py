"""Is the request what AWS's own model allows?"""
from .errors import AwsError


def validate(call):
    pass


def malformed(call, error):
    return AwsError("ValidationError", str(error))
