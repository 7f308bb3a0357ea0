"""IAM and STS: users, keys, boundaries, policies, roles, sessions."""

import datetime
import json
import unittest

from support import Keys, Probe, allow, deny, document


class Users(Probe):
    def test_a_user_has_its_path_tags_and_boundary(self):
        iam = self.root("iam")
        arn = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("s3:*", "*")))["Policy"]["Arn"]
        made = iam.create_user(UserName="u", Path="/a/b/", Tags=[{"Key": "k", "Value": "v"}], PermissionsBoundary=arn)[
            "User"
        ]
        edge = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
        for user in (made, iam.get_user(UserName="u")["User"]):
            self.assertEqual(
                (f"arn:aws:iam::{self.account}:user/a/b/u", edge, [{"Key": "k", "Value": "v"}]),
                (user["Arn"], user["PermissionsBoundary"], user["Tags"]),
            )
        self.assertEqual(arn, self.inventory()["users"][0]["boundary"])
        self.refused("DeleteConflict", iam.delete_policy, PolicyArn=arn, status=409)
        iam.delete_user_permissions_boundary(UserName="u")
        self.assertNotIn("PermissionsBoundary", iam.get_user(UserName="u")["User"])
        self.refused("NoSuchEntity", iam.delete_user_permissions_boundary, UserName="u")
        iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=arn)
        self.assertEqual(edge, iam.get_user(UserName="u")["User"]["PermissionsBoundary"])

    def test_names_and_references(self):
        iam = self.root("iam")
        for name in ("x" * 65, "a b", "ü", ""):
            with self.subTest(name):
                self.refused("ValidationError", iam.create_user, UserName=name, status=400)
        self.refused("ValidationError", iam.create_user, UserName="u", Path="no-slash")
        self.refused("ValidationError", iam.create_user)
        self.refused(
            "NoSuchEntity",
            iam.create_user,
            UserName="u",
            PermissionsBoundary=f"arn:aws:iam::{self.account}:policy/none",
            status=404,
        )
        self.refused("InvalidInput", iam.create_user, UserName="u", Tags=[{"Key": "aws:x", "Value": "1"}])
        iam.create_user(UserName="Same")
        self.refused("EntityAlreadyExists", iam.create_user, UserName="same", status=409)
        for call in (
            iam.get_user,
            iam.delete_user,
            iam.create_access_key,
            iam.list_access_keys,
            iam.list_user_policies,
            iam.list_user_tags,
            iam.list_attached_user_policies,
        ):
            self.refused("NoSuchEntity", call, UserName="nobody", status=404)

    def test_things_that_are_not_there(self):
        iam = self.root("iam")
        none = f"arn:aws:iam::{self.account}:policy/none"
        for call, options in (
            (iam.get_policy, {"PolicyArn": none}),
            (iam.get_role, {"RoleName": "none"}),
            (iam.delete_role, {"RoleName": "none"}),
            (iam.get_role_policy, {"RoleName": "none", "PolicyName": "p"}),
            (iam.delete_role_policy, {"RoleName": "none", "PolicyName": "p"}),
            (iam.detach_user_policy, {"UserName": "none", "PolicyArn": none}),
            (iam.list_role_policies, {"RoleName": "none"}),
            (
                iam.put_role_policy,
                {"RoleName": "none", "PolicyName": "p", "PolicyDocument": document(allow("s3:*", "*"))},
            ),
        ):
            with self.subTest(call.__name__):
                self.refused("NoSuchEntity", call, status=404, **options)

    def test_listing(self):
        iam = self.root("iam")
        for name in "cab":
            iam.create_user(UserName=name, Path="/p/")
        iam.create_user(UserName="d")
        first = iam.list_users(PathPrefix="/p/", MaxItems=2)
        self.assertEqual((["a", "b"], True), ([u["UserName"] for u in first["Users"]], first["IsTruncated"]))
        self.assertEqual(
            ["c"], [u["UserName"] for u in iam.list_users(PathPrefix="/p/", Marker=first["Marker"])["Users"]]
        )

    def test_what_blocks_the_deletion_of_a_user(self):
        iam = self.root("iam")
        iam.create_user(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow("s3:*", "*")))
        arn = iam.create_policy(PolicyName="m", PolicyDocument=document(allow("s3:*", "*")))["Policy"]["Arn"]
        iam.attach_user_policy(UserName="u", PolicyArn=arn)
        self.refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
        for undo in (
            lambda: iam.delete_access_key(UserName="u", AccessKeyId=key),
            lambda: iam.delete_user_policy(UserName="u", PolicyName="p"),
            lambda: iam.detach_user_policy(UserName="u", PolicyArn=arn),
        ):
            self.refused("DeleteConflict", iam.delete_user, UserName="u", status=409)
            undo()
        iam.delete_user(UserName="u")
        iam.delete_policy(PolicyArn=arn)
        self.refused("NoSuchEntity", iam.delete_policy, PolicyArn=arn)

    def test_keys(self):
        iam = self.root("iam")
        keys = self.user(name="u")
        second = iam.create_access_key(UserName="u")["AccessKey"]
        self.assertEqual((20, 40), (len(second["AccessKeyId"]), len(second["SecretAccessKey"])))
        self.refused("LimitExceeded", iam.create_access_key, UserName="u", status=409)
        self.assertEqual(
            {keys.key, second["AccessKeyId"]},
            {k["AccessKeyId"] for k in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]},
        )
        self.assertEqual("N/A", iam.get_access_key_last_used(AccessKeyId=keys.key)["AccessKeyLastUsed"]["ServiceName"])
        self.client("sts", keys).get_caller_identity()
        self.assertEqual("sts", iam.get_access_key_last_used(AccessKeyId=keys.key)["AccessKeyLastUsed"]["ServiceName"])
        iam.update_access_key(UserName="u", AccessKeyId=keys.key, Status="Inactive")
        self.refused("InvalidClientTokenId", self.client("sts", keys).get_caller_identity)
        iam.update_access_key(UserName="u", AccessKeyId=keys.key, Status="Active")
        self.client("sts", keys).get_caller_identity()
        iam.delete_access_key(UserName="u", AccessKeyId=keys.key)
        self.refused("InvalidClientTokenId", self.client("sts", keys).get_caller_identity)
        self.refused("NoSuchEntity", iam.delete_access_key, UserName="u", AccessKeyId=keys.key)
        self.assertEqual(
            self.calls()["counts"]["sts:GetCallerIdentity"], 4, "a deleted key's calls are still counted here"
        )

    def test_policies(self):
        iam = self.root("iam")
        iam.create_user(UserName="u")
        text = document(allow("s3:GetObject", "arn:aws:s3:::b/${*}/*"))
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=text)
        self.assertEqual(json.loads(text), iam.get_user_policy(UserName="u", PolicyName="p")["PolicyDocument"])
        self.assertEqual(["p"], iam.list_user_policies(UserName="u")["PolicyNames"])
        for broken in (
            "{",
            "[]",
            '{"Version":"2012-10-17"}',
            document({"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}),
            document({"Effect": "Allow", "Action": "s3:*"}),
            document({"Effect": "Allow", "Action": "s3:*", "Resource": "b"}),
            document({**allow("s3:*", "*"), "Principal": "*"}),
        ):
            with self.subTest(broken):
                self.refused(
                    "MalformedPolicyDocument", iam.put_user_policy, UserName="u", PolicyName="p", PolicyDocument=broken
                )
        big = document(allow("s3:GetObject", ["arn:aws:s3:::" + "x" * 63 + "/*"] * 26))
        self.refused("LimitExceeded", iam.put_user_policy, UserName="u", PolicyName="q", PolicyDocument=big, status=409)
        iam.create_role(
            RoleName="r",
            AssumeRolePolicyDocument=document(
                {"Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "sts:AssumeRole"}
            ),
        )
        iam.put_role_policy(RoleName="r", PolicyName="q", PolicyDocument=big)
        self.refused("NoSuchEntity", iam.get_user_policy, UserName="u", PolicyName="none", status=404)
        self.refused("NoSuchEntity", iam.delete_user_policy, UserName="u", PolicyName="none")
        self.refused(
            "NoSuchEntity", iam.attach_user_policy, UserName="u", PolicyArn=f"arn:aws:iam::{self.account}:policy/none"
        )

    def test_a_user_s_tags(self):
        iam = self.root("iam")
        iam.create_user(UserName="u")
        iam.tag_user(UserName="u", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        iam.untag_user(UserName="u", TagKeys=["b"])
        self.assertEqual([{"Key": "a", "Value": "1"}], iam.list_user_tags(UserName="u")["Tags"])


class Roles(Probe):
    def role(self, *trust, name="app", **options):
        return self.root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(*trust), **options)[
            "Role"
        ]["Arn"]

    def trust(self, principal=None, **more):
        return {
            "Effect": "Allow",
            "Principal": principal or {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": "sts:AssumeRole",
            **more,
        }

    def assume(self, arn, keys=None, **options):
        sts = self.client("sts", keys) if keys else self.root("sts")
        found = sts.assume_role(RoleArn=arn, RoleSessionName=options.pop("name", "run"), **options)
        return Keys(
            found["Credentials"]["AccessKeyId"],
            found["Credentials"]["SecretAccessKey"],
            found["Credentials"]["SessionToken"],
        )

    def test_a_session(self):
        arn = self.role(self.trust(), Path="/x/")
        session = self.assume(arn)
        who = self.client("sts", session).get_caller_identity()
        self.assertEqual(
            (f"arn:aws:sts::{self.account}:assumed-role/app/run", self.account), (who["Arn"], who["Account"])
        )
        self.assertTrue(who["UserId"].endswith(":run"))
        self.refused(
            "InvalidClientTokenId", self.client("sts", Keys(session.key, session.secret, "other")).get_caller_identity
        )
        self.refused(
            "SignatureDoesNotMatch", self.client("sts", Keys(session.key, "wrong", session.token)).get_caller_identity
        )
        self.refused("InvalidToken", self.client("s3", Keys(session.key, session.secret, "other")).list_buckets)
        self.refused("AccessDenied", self.client("s3", session).list_buckets)
        self.root("iam").put_role_policy(
            RoleName="app", PolicyName="p", PolicyDocument=document(allow("s3:ListAllMyBuckets", "*"))
        )
        self.client("s3", session).list_buckets()

    def test_who_may_assume(self):
        self.refused("AccessDenied", self.assume, f"arn:aws:iam::{self.account}:role/none", status=403)
        self.refused("ValidationError", self.assume, "arn:aws:iam::1:user/none")
        arn = self.role(self.trust())
        self.refused("AccessDenied", self.assume, arn, self.user())
        caller = self.user(allow("sts:AssumeRole", arn))
        self.assume(arn, caller)
        named = self.user(name="named")
        direct = self.role(self.trust({"AWS": f"arn:aws:iam::{self.account}:user/named"}), name="direct")
        self.assume(direct, named)
        self.refused("AccessDenied", self.assume, direct, caller)
        self.refused("AccessDenied", self.assume, direct)
        self.refused(
            "MalformedPolicyDocument",
            self.role,
            self.trust({"AWS": f"arn:aws:iam::{self.account}:user/nobody"}),
            name="bad",
        )

    def test_external_id(self):
        arn = self.role(self.trust(Condition={"StringEquals": {"sts:ExternalId": "secret"}}))
        self.refused("AccessDenied", self.assume, arn)
        self.refused("AccessDenied", self.assume, arn, ExternalId="wrong")
        self.assume(arn, ExternalId="secret")

    def test_across_accounts(self):
        other = f"{int(self.account) ^ 1:012d}"
        arn = self.role(self.trust({"AWS": f"arn:aws:iam::{other}:root"}))
        session = self.assume(arn, Keys(f"AKIA{other}ROOT"))
        self.assertEqual(self.account, self.client("sts", session).get_caller_identity()["Account"])
        self.refused("AccessDenied", self.assume, arn)

    def test_session_policy_duration_and_tags(self):
        arn = self.role(self.trust())
        self.root("iam").put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=document(allow("*", "*")))
        narrow = self.assume(arn, Policy=document(allow("s3:ListAllMyBuckets", "*")))
        self.client("s3", narrow).list_buckets()
        self.refused("AccessDenied", self.client("iam", narrow).list_users)
        self.refused("ValidationError", self.assume, arn, DurationSeconds=3601)
        self.refused("ValidationError", self.assume, arn, DurationSeconds=899)
        self.refused("ValidationError", self.assume, arn, name="a b")
        self.refused("AccessDenied", self.assume, arn, Tags=[{"Key": "t", "Value": "v"}])
        found = self.root("sts").assume_role(RoleArn=arn, RoleSessionName="xx", DurationSeconds=900)["Credentials"][
            "Expiration"
        ]
        left = (found - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        self.assertAlmostEqual(900, left, delta=20)

    def test_a_role_s_boundary(self):
        iam = self.root("iam")
        self.refused(
            "NoSuchEntity", self.role, self.trust(), PermissionsBoundary=f"arn:aws:iam::{self.account}:policy/none"
        )
        edge = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("s3:*", "*")))["Policy"]["Arn"]
        arn = self.role(self.trust(), PermissionsBoundary=edge)
        iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=document(allow("*", "*")))
        session = self.assume(arn)
        self.client("s3", session).list_buckets()
        error = self.refused("AccessDenied", self.client("iam", session).list_users)
        self.assertIn("because no permissions boundary allows the iam:ListUsers action", str(error))


class Permissions(Probe):
    def test_a_broker_s_own_limits(self):
        """Create users only with the boundary, only under a path; touch nobody else."""
        iam = self.root("iam")
        edge = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("s3:*", "*")))["Policy"]["Arn"]
        base = f"arn:aws:iam::{self.account}:user/broker/*"
        keys = self.user(
            allow(
                ["iam:CreateUser", "iam:PutUserPolicy"],
                base,
                Condition={"StringEquals": {"iam:PermissionsBoundary": edge}},
            ),
            allow(["iam:GetUser", "iam:DeleteUser", "iam:CreateAccessKey", "iam:TagUser"], base),
            deny("iam:DeleteUserPermissionsBoundary", "*"),
        )
        mine = self.client("iam", keys)
        error = self.refused("AccessDenied", mine.create_user, UserName="n", Path="/broker/", status=403)
        self.assertIn(
            f"User: arn:aws:iam::{self.account}:user/{keys.name} is not authorized to perform: iam:CreateUser on resource: "
            f"arn:aws:iam::{self.account}:user/broker/n because no identity-based policy allows the iam:CreateUser action",
            str(error),
        )
        self.refused("AccessDenied", mine.create_user, UserName="n", PermissionsBoundary=edge)
        mine.create_user(UserName="n", Path="/broker/", PermissionsBoundary=edge, Tags=[{"Key": "a", "Value": "b"}])
        mine.put_user_policy(UserName="n", PolicyName="p", PolicyDocument=document(allow("*", "*")))
        error = self.refused("AccessDenied", mine.delete_user_permissions_boundary, UserName="n")
        self.assertIn("with an explicit deny in an identity-based policy", str(error))
        self.refused("AccessDenied", mine.get_user, UserName=keys.name)
        iam.delete_user_permissions_boundary(UserName="n")
        self.refused(
            "AccessDenied", mine.put_user_policy, UserName="n", PolicyName="q", PolicyDocument=document(allow("*", "*"))
        )
        self.refused("AccessDenied", mine.list_users)

    def test_members_are_the_group_s_affair(self):
        iam = self.root("iam")
        iam.create_group(GroupName="g")
        iam.create_user(UserName="n")
        iam.add_user_to_group(GroupName="g", UserName="n")
        of_user, of_group = (
            self.client("iam", self.user(allow("iam:RemoveUserFromGroup", f"arn:aws:iam::{self.account}:{what}")))
            for what in ("user/*", "group/*")
        )
        self.refused("AccessDenied", of_user.remove_user_from_group, GroupName="g", UserName="n")
        of_group.remove_user_from_group(GroupName="g", UserName="n")

    def test_tags_in_requests_and_on_principals(self):
        keys = self.user(
            allow("iam:CreateUser", "*"),
            allow(
                "iam:TagUser",
                "*",
                Condition={
                    "StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"},
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
                },
            ),
            Tags=[{"Key": "team", "Value": "red"}],
        )
        mine = self.client("iam", keys)
        self.refused("AccessDenied", mine.create_user, UserName="n", Tags=[{"Key": "team", "Value": "blue"}])
        self.refused(
            "AccessDenied",
            mine.create_user,
            UserName="n",
            Tags=[{"Key": "team", "Value": "red"}, {"Key": "x", "Value": "y"}],
        )
        mine.create_user(UserName="n", Tags=[{"Key": "team", "Value": "red"}])

    def test_attached_policies_and_versions(self):
        iam, keys = self.root("iam"), self.user(name="u")
        arn = iam.create_policy(PolicyName="m", PolicyDocument=document(allow("s3:ListAllMyBuckets", "*")))["Policy"][
            "Arn"
        ]
        iam.attach_user_policy(UserName="u", PolicyArn=arn)
        self.client("s3", keys).list_buckets()
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("sqs:*", "*")), SetAsDefault=True)
        self.refused("AccessDenied", self.client("s3", keys).list_buckets)
        self.refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)

    def test_a_user_s_own_things(self):
        keys = self.user(
            allow(["iam:GetUser", "iam:ListAccessKeys"], f"arn:aws:iam::{self.account}:user/${{aws:username}}")
        )
        mine = self.client("iam", keys)
        self.assertEqual(keys.name, mine.get_user()["User"]["UserName"])
        mine.list_access_keys()
        self.refused("AccessDenied", mine.list_access_keys, UserName="other")


if __name__ == "__main__":
    unittest.main()
