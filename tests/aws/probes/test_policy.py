"""The policy engine by itself: variables, conditions, evaluation order."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from standin import settings  # noqa: E402,F401
from standin.conditions import holds  # noqa: E402
from standin.credentials import Identity  # noqa: E402
from standin.permissions import judge  # noqa: E402
from standin.principals import Policies  # noqa: E402
from standin.variables import expand, matches, segments  # noqa: E402

NEW, OLD = "2012-10-17", "2008-10-17"
ARN = "arn:aws:s3:::b/"
USER = Identity("user", "111111111111", "arn:aws:iam::111111111111:user/team/ann", "AIDAANN", "ann")
ROLE = Identity(
    "role",
    "111111111111",
    "arn:aws:sts::111111111111:assumed-role/app/run",
    "AROAAPP:run",
    "app",
    role_arn="arn:aws:iam::111111111111:role/app",
)
OTHER = Identity("user", "222222222222", "arn:aws:iam::222222222222:user/bob", "AIDABOB", "bob")


def policy(*statements, version=NEW):
    return {"Version": version, "Statement": list(statements)}


def statement(effect="Allow", action="s3:GetObject", resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


class Variables(unittest.TestCase):
    def test_wildcards(self):
        self.assertTrue(matches(ARN + "a*", ARN + "a/b/c", {}, NEW))
        self.assertTrue(matches(ARN + "a?c", ARN + "abc", {}, NEW))
        self.assertFalse(matches(ARN + "a?c", ARN + "ac", {}, NEW))
        self.assertFalse(matches(ARN + "a.c", ARN + "abc", {}, NEW))

    def test_characters_written_as_variables_are_only_themselves(self):
        self.assertTrue(matches(ARN + "${*}/x", ARN + "*/x", {}, NEW))
        self.assertFalse(matches(ARN + "${*}/x", ARN + "anything/x", {}, NEW))
        self.assertTrue(matches(ARN + "${?}", ARN + "?", {}, NEW))
        self.assertFalse(matches(ARN + "${?}", ARN + "a", {}, NEW))
        self.assertTrue(matches(ARN + "${$}{aws:username}/*", ARN + "${aws:username}/x", {"aws:username": "ann"}, NEW))
        self.assertFalse(matches(ARN + "${$}{aws:username}/*", ARN + "ann/x", {"aws:username": "ann"}, NEW))

    def test_values_of_the_request(self):
        context = {"aws:username": "ann", "aws:principaltag/team": "red"}
        self.assertTrue(matches(ARN + "${aws:username}/*", ARN + "ann/x", context, NEW))
        self.assertTrue(matches(ARN + "${aws:PrincipalTag/team}/*", ARN + "red/x", context, NEW))
        self.assertTrue(matches(ARN + "${aws:PrincipalTag/unset, 'none'}/*", ARN + "none/x", context, NEW))
        self.assertFalse(matches(ARN + "${aws:PrincipalTag/unset}/*", ARN + "/x", context, NEW))
        self.assertFalse(
            matches(ARN + "${aws:username}/*", ARN + "star/x", {"aws:username": "*"}, NEW), "a value's wildcard is text"
        )

    def test_the_old_version_has_no_variables(self):
        self.assertTrue(matches(ARN + "${aws:username}", ARN + "${aws:username}", {"aws:username": "ann"}, OLD))
        self.assertFalse(matches(ARN + "${aws:username}", ARN + "ann", {"aws:username": "ann"}, OLD))
        self.assertTrue(matches(ARN + "${*}", ARN + "${anything}", {}, OLD), "its wildcards still are wildcards")

    def test_equality_and_arns(self):
        self.assertEqual("*-ann", expand("${*}-${aws:username}", {"aws:username": "ann"}, NEW))
        self.assertTrue(
            segments("arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::1:user/ann", {"aws:username": "ann"}, NEW)
        )
        self.assertFalse(
            segments("arn:aws:s3:*:b", "arn:aws:s3:eu:1:b", {}, NEW), "a wildcard does not reach over a colon"
        )


class Conditions(unittest.TestCase):
    def check(self, expected, condition, version=NEW, **context):
        context = {k.replace("__", ":").replace("_", "-") if "__" in k else k: v for k, v in context.items()}
        self.assertIs(expected, holds(condition, context, version), condition)

    def test_strings(self):
        self.check(True, {"StringEquals": {"s3:prefix": ["a", "b"]}}, s3__prefix="b")
        self.check(False, {"StringEquals": {"s3:prefix": "a*"}}, s3__prefix="ab")
        self.check(True, {"StringLike": {"s3:Prefix": "a*"}}, s3__prefix="ab")
        self.check(False, {"StringNotLike": {"s3:prefix": ["x*", "a*"]}}, s3__prefix="ab")
        self.check(True, {"StringNotEquals": {"s3:prefix": ["x", "y"]}}, s3__prefix="ab")
        self.check(True, {"StringEqualsIgnoreCase": {"s3:prefix": "AB"}}, s3__prefix="ab")
        self.check(False, {"StringNotEqualsIgnoreCase": {"s3:prefix": "AB"}}, s3__prefix="ab")

    def test_a_key_that_is_not_there(self):
        self.check(False, {"StringEquals": {"aws:sourcevpc": "v"}})
        self.check(True, {"StringNotEquals": {"aws:sourcevpc": "v"}})
        self.check(True, {"StringEqualsIfExists": {"aws:sourcevpc": "v"}})
        self.check(False, {"StringEqualsIfExists": {"aws:sourcevpc": "v"}}, aws__sourcevpc="w")
        self.check(True, {"Null": {"aws:sourcevpc": "true"}})
        self.check(False, {"Null": {"aws:sourcevpc": "false"}})
        self.check(True, {"Null": {"aws:sourcevpc": False}}, aws__sourcevpc="v")
        self.check(False, {"Bool": {"aws:MultiFactorAuthPresent": "false"}})

    def test_sets(self):
        tags = {"aws__tagkeys": ["a", "b"]}
        self.check(True, {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}, **tags)
        self.check(False, {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, **tags)
        self.check(True, {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})
        self.check(True, {"ForAnyValue:StringEquals": {"aws:TagKeys": ["b"]}}, **tags)
        self.check(False, {"ForAnyValue:StringEquals": {"aws:TagKeys": ["z"]}}, **tags)
        self.check(False, {"ForAnyValue:StringEquals": {"aws:TagKeys": ["z"]}})
        self.check(True, {"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, **tags)
        self.check(False, {"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a"]}}, **tags)

    def test_other_types(self):
        self.check(True, {"Bool": {"aws:SecureTransport": "true"}}, aws__securetransport="true")
        self.check(True, {"Bool": {"aws:SecureTransport": True}}, aws__securetransport="true")
        self.check(False, {"Bool": {"aws:SecureTransport": "false"}}, aws__securetransport="true")
        self.check(True, {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}, aws__sourceip="10.2.3.4")
        self.check(False, {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}, aws__sourceip="10.2.3.4")
        self.check(True, {"NumericLessThanEquals": {"s3:max-keys": "10"}}, **{"s3__max_keys": "10"})
        self.check(False, {"NumericLessThan": {"s3:max-keys": 10}}, **{"s3__max_keys": "10"})
        self.check(False, {"NumericEquals": {"s3:max-keys": "x"}}, **{"s3__max_keys": "10"})
        self.check(
            True,
            {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
            aws__currenttime="2026-01-01T00:00:00Z",
        )
        self.check(False, {"DateLessThan": {"aws:EpochTime": "1500000000"}}, aws__epochtime="1600000000")
        self.check(
            True,
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app*"}},
            aws__principalarn="arn:aws:iam::1:role/apps",
        )
        self.check(
            True,
            {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::1:role/x"}},
            aws__principalarn="arn:aws:iam::1:role/y",
        )

    def test_all_of_them_must_hold(self):
        both = {"StringEquals": {"a:x": "1", "a:y": "2"}, "Bool": {"a:z": "true"}}
        self.check(True, both, a__x="1", a__y="2", a__z="true")
        self.check(False, both, a__x="1", a__y="2", a__z="false")
        self.check(False, both, a__x="1", a__z="true")


class Evaluation(unittest.TestCase):
    def judged(
        self,
        identity,
        own=(),
        boundary=None,
        session=(),
        resource_policy=None,
        owner="111111111111",
        own_word=False,
        action="s3:GetObject",
        resource=ARN + "k",
    ):
        return judge(
            identity,
            Policies(list(own), boundary, list(session)),
            action,
            resource,
            {},
            resource_policy,
            owner,
            own_word,
        )

    def test_nothing_is_no(self):
        verdict = self.judged(USER)
        self.assertFalse(verdict)
        self.assertIn("no identity-based policy allows the s3:GetObject action", verdict.why)

    def test_deny_wins(self):
        self.assertTrue(self.judged(USER, [policy(statement())]))
        verdict = self.judged(USER, [policy(statement(), statement("Deny"))])
        self.assertIn("with an explicit deny in an identity-based policy", verdict.why)
        refuse = policy({**statement("Deny"), "Principal": "*"})
        self.assertIn("resource-based policy", self.judged(USER, [policy(statement())], resource_policy=refuse).why)

    def test_actions(self):
        for pattern, fits in (
            ("s3:*", True),
            ("s3:get*", True),
            ("S3:GetObject", True),
            ("s3:GetObject?", False),
            ("*", True),
            ("sqs:*", False),
        ):
            self.assertEqual(fits, bool(self.judged(USER, [policy(statement(action=pattern))])), pattern)
        self.assertFalse(self.judged(USER, [policy({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"})]))
        self.assertTrue(self.judged(USER, [policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})]))
        self.assertFalse(self.judged(USER, [policy({"Effect": "Allow", "Action": "*", "NotResource": ARN + "*"})]))

    def test_a_boundary_and_a_session_policy_limit(self):
        some = [policy(statement())]
        self.assertFalse(self.judged(USER, some, boundary=policy(statement(action="sqs:*"))))
        self.assertTrue(self.judged(USER, some, boundary=policy(statement(action="s3:*"))))
        self.assertFalse(self.judged(USER, [], boundary=policy(statement(action="s3:*"))), "a boundary gives nothing")
        self.assertFalse(self.judged(ROLE, some, session=[policy(statement(action="sqs:*"))]))
        self.assertTrue(self.judged(ROLE, some, session=[policy(statement())]))

    def test_resource_policies_within_the_account(self):
        def grant(principal):
            return policy({**statement(), "Principal": principal})

        self.assertTrue(self.judged(USER, resource_policy=grant({"AWS": USER.arn})))
        self.assertTrue(self.judged(USER, resource_policy=grant("*")))
        self.assertFalse(
            self.judged(USER, resource_policy=grant({"AWS": "arn:aws:iam::111111111111:root"})),
            "that only trusts the account",
        )
        self.assertFalse(self.judged(USER, resource_policy=grant({"AWS": "111111111111"})))
        self.assertTrue(self.judged(ROLE, resource_policy=grant({"AWS": ROLE.role_arn})))
        narrow = policy(statement(action="sqs:*"))
        self.assertFalse(self.judged(ROLE, boundary=narrow, resource_policy=grant({"AWS": ROLE.role_arn})))
        self.assertTrue(self.judged(ROLE, boundary=narrow, resource_policy=grant({"AWS": ROLE.arn})))
        self.assertTrue(self.judged(USER, boundary=narrow, resource_policy=grant({"AWS": USER.arn})))
        self.assertFalse(
            self.judged(
                USER,
                resource_policy=policy(
                    {"Effect": "Allow", "Action": "*", "Resource": "*", "NotPrincipal": {"AWS": USER.arn}}
                ),
            )
        )

    def test_across_accounts_both_must_allow(self):
        grant = policy({**statement(), "Principal": {"AWS": OTHER.arn}})
        self.assertFalse(self.judged(OTHER, [policy(statement())]))
        self.assertFalse(self.judged(OTHER, [], resource_policy=grant))
        self.assertTrue(self.judged(OTHER, [policy(statement())], resource_policy=grant))

    def test_things_that_must_allow_by_their_own_policy(self):
        self.assertFalse(self.judged(USER, [policy(statement())], own_word=True, resource_policy=policy()))
        trust = policy({**statement(), "Principal": {"AWS": "arn:aws:iam::111111111111:root"}})
        self.assertTrue(self.judged(USER, [policy(statement())], own_word=True, resource_policy=trust))
        self.assertFalse(self.judged(USER, [], own_word=True, resource_policy=trust))


if __name__ == "__main__":
    unittest.main()
