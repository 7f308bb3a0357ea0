"""Patterns in policies: wildcards and policy variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html: in version 2012-10-17 `${key}`
stands for a value of the request, `${key, 'default'}` has a fall-back, and `${*}`, `${?}`, `${$}` are the characters
themselves. In version 2008-10-17 a variable is literal text (its wildcards still are wildcards). A variable whose key
the request does not have matches nothing; so does one with several values.
"""

import re
from functools import lru_cache

VARIABLE = re.compile(r"\$\{([^}]*)\}")
MODERN = "2012-10-17"


class Unresolved(Exception):
    """A variable has no value in this request."""


def pieces(pattern, version):
    """The pattern as [(kind, text)], kind one of text, any (*), one (?), variable."""
    found = []

    def plain(text):
        for part in re.split(r"([*?])", text):
            if part:
                found.append(("any" if part == "*" else "one" if part == "?" else "text", part))

    if version != MODERN:
        plain(pattern)
        return tuple(found)
    rest = 0
    for match in VARIABLE.finditer(pattern):
        plain(pattern[rest : match.start()])
        name = match.group(1)
        found.append(("text", name) if name in ("*", "?", "$") else ("variable", name))
        rest = match.end()
    plain(pattern[rest:])
    return tuple(found)


@lru_cache(maxsize=8192)
def parsed(pattern, version):
    found = pieces(pattern, version)
    fixed = None if any(kind == "variable" for kind, _ in found) else regex(found, {})
    return found, fixed


def regex(found, context, ignore_case=False):
    out = []
    for kind, text in found:
        out.append(
            ".*"
            if kind == "any"
            else "."
            if kind == "one"
            else re.escape(text)
            if kind == "text"
            else re.escape(resolve(text, context))
        )
    return re.compile("".join(out), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def resolve(name, context):
    name, _, default = name.partition(",")
    value = context.get(name.strip().lower())
    if isinstance(value, (list, tuple)):
        value = value[0] if len(value) == 1 else None
    if value is None:
        default = default.strip()
        if len(default) >= 2 and default[0] == default[-1] == "'":
            return default[1:-1]
        raise Unresolved(name)
    return str(value)


def matches(pattern, value, context, version):
    """Whether the value matches a pattern with wildcards and variables (resources, StringLike)."""
    found, fixed = parsed(pattern, version)
    try:
        return (fixed or regex(found, context)).fullmatch(value) is not None
    except Unresolved:
        return False


def expand(pattern, context, version):
    """The text with its variables put in, wildcards being ordinary characters (StringEquals). None: unresolved."""
    try:
        return "".join(
            resolve(text, context) if kind == "variable" else text for kind, text in pieces(pattern, version)
        )
    except Unresolved:
        return None


def segments(pattern, value, context, version):
    """ARN against ARN pattern, each of the six parts for itself, so that no wildcard reaches over a colon.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
    """
    wanted, given = split_arn(pattern), value.split(":", 5)
    if len(wanted) != 6 or len(given) != 6:
        return matches(pattern, value, context, version) if pattern == "*" else False
    return all(matches(w, g, context, version) for w, g in zip(wanted, given))


def split_arn(pattern):
    """Splits at the colons that are not inside a variable (`${aws:username}` has one)."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(pattern):
        if pattern.startswith("${", i):
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif char == ":" and not depth and len(parts) < 5:
            parts.append(pattern[start:i])
            start = i + 1
    parts.append(pattern[start:])
    return parts


@lru_cache(maxsize=8192)
def action_pattern(pattern):
    """Actions know wildcards, no variables and no case."""
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern), re.IGNORECASE)
