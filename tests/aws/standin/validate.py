"""Is the request what AWS's own model allows? Types, required members, enumerations, lengths, ranges, patterns.

The model is botocore's. The words are AWS's: "1 validation error detected: Value '...' at '...' failed to satisfy
constraint: Member must ..." (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html, ValidationError);
JSON services call it ValidationException or InvalidParameterValue, S3 MalformedXML or InvalidArgument.
"""

import datetime
import re
from functools import lru_cache

from .errors import AwsError

# Members whose values AWS checks with words of its own; services/* do it.
LEFT_TO_SERVICES = {
    ("sqs", "Attributes"),
    ("sqs", "AttributeNames"),
    ("sqs", "MessageSystemAttributeNames"),
    ("s3", "LocationConstraint"),
}
KINDS = {
    "string": str,
    "character": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "blob": (bytes, str),
    "timestamp": (datetime.datetime, str, int, float),
}


def validate(call):
    shape = call.model.input_shape
    if shape is None:
        return
    problems = []
    check(call.service, shape, call.params, "", problems)
    if problems:
        raise refusal(call, problems)


def check(service, shape, value, path, problems):
    kind = shape.type_name
    if kind == "structure":
        return check_structure(service, shape, value, path, problems)
    if kind == "list":
        if not isinstance(value, list):
            return problems.append(("type", path, value, "Member must be a list"))
        check_length(shape, value, path, problems)
        for i, item in enumerate(value, 1):
            check(service, shape.member, item, f"{path}.{i}.member", problems)
        return None
    if kind == "map":
        if not isinstance(value, dict):
            return problems.append(("type", path, value, "Member must be a map"))
        check_length(shape, value, path, problems)
        for key, item in value.items():
            check(service, shape.key, key, f"{path}.key", problems)
            check(service, shape.value, item, f"{path}.{key}", problems)
        return None
    if not isinstance(value, KINDS.get(kind, object)) or (kind in ("integer", "long") and isinstance(value, bool)):
        return problems.append(("type", path, value, f"Member must be of type {kind}"))
    return check_scalar(shape, value, path, problems)


def check_structure(service, shape, value, path, problems):
    if not isinstance(value, dict):
        return problems.append(("type", path, value, "Member must be a structure"))
    for name in shape.required_members:
        if value.get(name) is None:
            problems.append(("required", join(path, name), None, "Member must not be null"))
    for name, member in shape.members.items():
        given = value.get(name)
        if given is not None and (service, name) not in LEFT_TO_SERVICES:
            check(service, member, given, join(path, name), problems)
    if shape.metadata.get("union") and len([v for v in value.values() if v is not None]) != 1:
        problems.append(("type", path, None, "Member must have exactly one member set"))
    return None


def join(path, name):
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def check_scalar(shape, value, path, problems):
    metadata = shape.metadata
    if "enum" in metadata and value not in metadata["enum"]:
        problems.append(("enum", path, value, f"Member must satisfy enum value set: [{', '.join(metadata['enum'])}]"))
    if shape.type_name in ("integer", "long", "float", "double"):
        if metadata.get("min") is not None and value < metadata["min"]:
            problems.append(
                ("range", path, value, f"Member must have value greater than or equal to {metadata['min']}")
            )
        if metadata.get("max") is not None and value > metadata["max"]:
            problems.append(("range", path, value, f"Member must have value less than or equal to {metadata['max']}"))
    elif isinstance(value, (str, bytes)):
        check_length(shape, value, path, problems)
        if metadata.get("pattern") and isinstance(value, str):
            pattern = compiled(metadata["pattern"])
            if pattern is not None and not pattern.fullmatch(value):
                problems.append(
                    ("pattern", path, value, f"Member must satisfy regular expression pattern: {metadata['pattern']}")
                )


def check_length(shape, value, path, problems):
    metadata = shape.metadata
    if metadata.get("min") is not None and len(value) < metadata["min"]:
        problems.append(("length", path, value, f"Member must have length greater than or equal to {metadata['min']}"))
    if metadata.get("max") is not None and len(value) > metadata["max"]:
        problems.append(("length", path, value, f"Member must have length less than or equal to {metadata['max']}"))


@lru_cache(maxsize=None)
def compiled(pattern):
    """AWS's patterns are of Java; the few that Python cannot read are left out."""
    text = (
        re.sub(
            r"\\p\{(L|M|Z|S|N|P|IsLetter|Alpha|Alnum)\}",
            lambda m: {"L": r"^\W\d_", "Alpha": "a-zA-Z", "Alnum": "a-zA-Z0-9"}.get(m.group(1), ""),
            pattern,
        )
        if r"\p{" in pattern
        else pattern
    )
    if r"\p{" in pattern:
        return None  # Unicode classes: tags, checked by the services that have them
    text = text.replace(r"\/", "/")
    try:
        return re.compile(text, re.ASCII)
    except re.error:
        return None


def refusal(call, problems):
    kinds = {kind for kind, *_ in problems}
    if call.service == "s3":
        return s3_refusal(call, problems)
    if call.service == "sqs":
        kind, path, value, constraint = problems[0]
        name = path.split(".")[-1]
        if kind == "required":
            return AwsError(
                "MissingRequiredParameterException",
                f"The request must contain the parameter {name[0].upper() + name[1:]}.",
            )
        return AwsError(
            "InvalidParameterValue",
            f"Value {value} for parameter {name[0].upper() + name[1:]} is invalid. Reason: {constraint}.",
        )
    shown = "; ".join(
        f"Value {'null' if value is None else repr(value)} at '{path}' failed to satisfy constraint: {constraint}"
        for _, path, value, constraint in problems
    )
    count = len(problems)
    message = f"{count} validation error{'s' if count > 1 else ''} detected: {shown}"
    if call.protocol in ("json", "rest-json"):
        return AwsError("SerializationException" if kinds == {"type"} else "ValidationException", message)
    return AwsError("ValidationError", message)


def s3_refusal(call, problems):
    kind, path, value, constraint = problems[0]
    member = call.model.input_shape.members.get(path.split(".")[0][0].upper() + path.split(".")[0][1:])
    in_body = member is None or "location" not in member.serialization
    if in_body:
        if not call.request.body and kind == "required":
            return AwsError("MissingRequestBodyError", "Request Body is empty")
        return AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    if kind == "required":
        return AwsError("InvalidRequest", f"Missing required header for this request: {path}")
    name = member.serialization.get("name", path)
    return AwsError("InvalidArgument", f"Invalid argument: {constraint}", 400, ArgumentName=name, ArgumentValue=value)


def malformed(call, error):
    """The request could not even be read."""
    if isinstance(error, AwsError):
        return error
    if call.service == "s3":
        if "query" in str(type(error)).lower() or isinstance(error, ValueError):
            return AwsError("InvalidArgument", f"Invalid argument: {error}")
        return AwsError(
            "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
        )
    if call.protocol in ("json", "rest-json"):
        return AwsError("SerializationException", f"The request could not be read: {error}")
    return AwsError("MalformedInput", f"The request could not be read: {error}")
