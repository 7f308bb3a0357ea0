"""The Condition block of a policy statement.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html

All operators and all their keys must hold; of several values one must match (of a negated operator none may). Without
the key in the request an operator is false, a negated one and one with IfExists is true, ForAllValues is true,
ForAnyValue is false. The context maps lower-case key names to a string or to a list of strings.
"""

import datetime
import ipaddress

from .variables import expand, matches, segments


def number(text):
    return float(text)


def moment(text):
    try:
        return float(text)
    except ValueError:
        value = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return (value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)).timestamp()


def equal_text(wanted, given, context, version):
    return expand(wanted, context, version) == given


def equal_ignoring_case(wanted, given, context, version):
    text = expand(wanted, context, version)
    return text is not None and text.lower() == given.lower()


def in_network(wanted, given, context, version):
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


def compared(convert, relation):
    def test(wanted, given, context, version):
        return relation(convert(given), convert(wanted))

    return test


def same_bool(wanted, given, context, version):
    return str(wanted).lower() == str(given).lower()


POSITIVE = {
    "stringequals": equal_text,
    "stringequalsignorecase": equal_ignoring_case,
    "stringlike": matches,
    "arnequals": segments,
    "arnlike": segments,
    "bool": same_bool,
    "binaryequals": equal_text,
    "ipaddress": in_network,
}
NEGATED = {
    "stringnotequals": equal_text,
    "stringnotequalsignorecase": equal_ignoring_case,
    "stringnotlike": matches,
    "arnnotequals": segments,
    "arnnotlike": segments,
    "notipaddress": in_network,
}
for _name, _convert in (("numeric", number), ("date", moment)):
    POSITIVE[_name + "equals"] = compared(_convert, lambda a, b: a == b)
    NEGATED[_name + "notequals"] = compared(_convert, lambda a, b: a == b)
    POSITIVE[_name + "lessthan"] = compared(_convert, lambda a, b: a < b)
    POSITIVE[_name + "lessthanequals"] = compared(_convert, lambda a, b: a <= b)
    POSITIVE[_name + "greaterthan"] = compared(_convert, lambda a, b: a > b)
    POSITIVE[_name + "greaterthanequals"] = compared(_convert, lambda a, b: a >= b)


def known(operator):
    _, name, _ = parts(operator)
    return name == "null" or name in POSITIVE or name in NEGATED


def parts(operator):
    """(set prefix, plain name, IfExists?), all in lower case."""
    name = operator.lower()
    prefix = ""
    for candidate in ("forallvalues:", "foranyvalue:"):
        if name.startswith(candidate):
            prefix, name = candidate, name[len(candidate) :]
    if name.endswith("ifexists"):
        return prefix, name[: -len("ifexists")], True
    return prefix, name, False


def as_list(value):
    return value if isinstance(value, list) else [value]


def as_text(value):
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def holds(condition, context, version):
    return all(
        one_holds(operator, key, [as_text(v) for v in as_list(values)], context, version)
        for operator, block in (condition or {}).items()
        for key, values in block.items()
    )


def one_holds(operator, key, wanted, context, version):
    prefix, name, if_exists = parts(operator)
    given = context.get(key.lower())
    if name == "null":
        return (given is None or given == []) == (wanted[0].lower() == "true")
    negated = name in NEGATED
    test = NEGATED[name] if negated else POSITIVE[name]
    if given is None or given == []:
        if prefix:
            return prefix == "forallvalues:" or if_exists
        return negated or if_exists
    given = [as_text(v) for v in as_list(given)]

    def hit(value):
        found = any(attempt(test, w, value, context, version) for w in wanted)
        return found != negated

    if prefix == "forallvalues:":
        return all(hit(value) for value in given)
    if prefix == "foranyvalue:" or not negated:
        return any(hit(value) for value in given)
    return all(hit(value) for value in given)


def attempt(test, wanted, given, context, version):
    """A value that is not of the operator's type matches nothing."""
    try:
        return test(wanted, given, context, version)
    except ValueError:
        return False
