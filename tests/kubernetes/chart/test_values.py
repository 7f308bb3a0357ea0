"""What may be set, and what is told to whoever sets it wrong."""

import json
import re
import unittest

import yaml

# First: it says where the others are.
from support import LEAST, environment, lint, refused, template

from clients import merged
from settings import CHART, ROOT

TRIAL = {"database": {"trial": {"enabled": True}}, "masterKey": {"generate": True}, "policy": LEAST["policy"]}
KMS = "arn:aws:kms:eu-central-1:123456789012:key/0b6c7a1e-0000-4000-8000-000000000000"
EVERYTHING = merged(LEAST, {
    "commonLabels": {"team": "platform"},
    "image": {"repository": "registry.example/chandlery", "digest": "sha256:" + "a" * 64,
              "pullSecrets": [{"name": "pull"}]},
    "broker": {
        "autoscaling": {"enabled": True}, "settings": {"CHANDLERY_WORKERS": 64},
               "service": {"type": "NodePort", "port": 8443},
        "serviceAccount": {"annotations": {"a": "b"}}, "priorityClassName": "high", "podAnnotations": {"a": "b"},
        "podLabels": {"a": "b"}, "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}}, "topologySpreadConstraints": [],
        "extraEnv": [{"name": "AWS_ENDPOINT_URL", "value": "http://127.0.0.1:1"}],
        "extraVolumes": [{"name": "extra", "emptyDir": {}}],
               "extraVolumeMounts": [{"name": "extra", "mountPath": "/extra"}]},
    "aws": {"region": "eu-central-1", "roleArn": "arn:aws:iam::123456789012:role/chandlery", "credentialsSecret": "aws"},
    "database": {"certificateAuthority": {"secret": "authority"}},
    "policy": {"content": {"rules": [{"match": {}, "limits": {"instances": 10}}], "tags": {"cost-center": "platform"},
                           "platforms": [{"name": "cf", "credentials": [{"token_sha256": "b" * 64}]}]}},
    "catalog": {"offerings": {"a.yaml": "id: a\n", "b.yaml": {"id": "b"}}},
    "tls": {"mode": "certManager", "certManager": {"issuerRef": {"name": "ca"}},
            "extraNames": ["broker.example", "10.1.2.3"]},
    "registration": {"offerings": ["s3-*"], "limits": {"instances": 5}, "relistDuration": "15m0s",
                     "catalogRestrictions": {"servicePlan": ["spec.free=true"]}},
    "controller": {"watchNamespaces": ["team-a", "team-b"], "settings": {"CHANDLERY_CONCURRENCY": 32}, "clusterId": "c",
                   "allowLocalBrokers": True, "extraEnv": [{"name": "A", "value": "b"}]},
    "networkPolicy": {"brokerFrom": [{"namespaceSelector": {}}], "metricsFrom": [{"podSelector": {}}],
                      "brokerEgress": [{"ports": [{"port": 443}]}], "controllerEgress": [{}]},
    "monitoring": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "rules": {"enabled": True},
                   "dashboards": {"enabled": True}},
})
SETS = {
    "least": LEAST,
    "trial": TRIAL,
    "kms": {"database": LEAST["database"], "masterKey": {"kmsKeyArn": KMS}, "policy": LEAST["policy"]},
    "everything": EVERYTHING,
    "broker alone": merged(LEAST, {"controller": {"enabled": False}, "crds": {"apply": False}}),
    "controller alone": {"broker": {"enabled": False}},
    "own policy": merged(LEAST, {"policy": {"existingSecret": {"name": "policy"}, "content": None},
                                 "registration": {"existingSecret": "login"}}),
}


class TestLint(unittest.TestCase):
    def test_helm_finds_nothing_to_complain_of(self):
        for name, values in SETS.items():
            with self.subTest(name):
                self.assertIn("0 chart(s) failed", lint(values))
                self.assertTrue(template(values))

    def test_chart_and_program_are_of_one_version(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        program = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        self.assertEqual((chart["version"], chart["appVersion"]), (program, program))


class TestSchema(unittest.TestCase):
    def test_a_slip_of_the_pen_is_named(self):
        for slip, named in [
            ({"broker": {"replcas": 3}}, "replcas"),
            ({"brokr": {}}, "brokr"),
            ({"broker": {"replicas": "three"}}, "/broker/replicas"),
            ({"broker": {"settings": {"CHANDLERY_WORKER": "64"}}}, "CHANDLERY_WORKER"),
            # The chart's own business: it would be set twice.
            ({"broker": {"settings": {"CHANDLERY_LISTEN": "0.0.0.0:1"}}}, "CHANDLERY_LISTEN"),
            ({"tls": {"mode": "off"}}, "/tls/mode"),
            ({"masterKey": {"kmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:alias/x"}}, "/masterKey/kmsKeyArn"),
            # Without quotes YAML has a number, which loses its leading zero.
            ({"policy": {"content": {"targets": [{"name": "m", "account": 12345678901, "region": "eu-west-1"}]}}},
             "account"),
            ({"policy": {"content": {"default-target": "main"}}}, "default-target"),
            ({"registration": {"passwordSha256": "hunter2"}}, "passwordSha256"),
            ({"catalog": {"offerings": {"../a.yaml": ""}}}, "../a.yaml"),
        ]:
            with self.subTest(named):
                self.assertIn(named, refused(LEAST, slip))

    def test_every_value_is_in_the_schema_and_the_other_way_round(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        values = yaml.safe_load((CHART / "values.yaml").read_text())

        def compare(place, schema, value):
            known = schema.get("properties")
            if known is None or not isinstance(value, dict):
                return
            self.assertIs(schema["additionalProperties"], False, place)
            if place.endswith((".settings", ".content", ".limits", ".catalogRestrictions")):
                return
            self.assertEqual(set(known) - {"global"}, set(value), place)
            for key, inner in value.items():
                compare(f"{place}.{key}", known[key], inner)

        compare("", schema, values)

    def test_every_setting_of_the_program_can_be_made(self):
        schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
        controller = template(SETS["controller alone"], {"controller": {
            "watchNamespaces": ["a"], "namespacedOnly": True, "allowLocalBrokers": True, "clusterId": "c"},
            "admission": {"identity": "webhook"}})
        broker = set(environment(template(LEAST).container("Deployment", "-broker")))
        broker |= set(environment(template(SETS["kms"]).container("Deployment", "-broker")))
        # A kubeconfig and a name of its own are for a controller outside a cluster.
        outside = {"CHANDLERY_KUBECONFIG", "CHANDLERY_IDENTITY"}
        for component, source, chart in [
            ("broker", "src/config.rs", broker),
            ("controller", "src/config/controller.rs",
             outside | set(environment(controller.container("Deployment", "-controller")))),
        ]:
            settings = set(re.findall(r'env = "(CHANDLERY_[A-Z_]+)"', (ROOT / source).read_text()))
            values = set(schema[component]["properties"]["settings"]["properties"])
            self.assertEqual(values & chart, set(), "set twice")
            self.assertEqual(settings - values - chart, set(), "cannot be set")
            self.assertEqual({s for s in values if not s.startswith("CHANDLERY_LOG")} - settings, set(),
                             "unknown to the program")


class TestProblems(unittest.TestCase):
    def test_what_is_missing_is_told_at_once(self):
        said = refused({})
        for sentence in ("database.existingSecret.name", "masterKey.existingSecret.name", "policy.content.targets"):
            self.assertIn(sentence, said)

    def test_what_contradicts_itself_is_told(self):
        for values, sentence in [
            ({"database": {"trial": {"enabled": True}}}, "needs one database"),
            ({"masterKey": {"generate": True}}, "needs one master key"),
            ({"policy": {"existingSecret": {"name": "mine"}}}, "two policies"),
            ({"catalog": {"existingConfigMap": "mine", "offerings": {"a.yaml": ""}}}, "two catalogs"),
            ({"tls": {"mode": "existingSecret"}}, "tls.existingSecret"),
            ({"tls": {"mode": "certManager"}}, "issuerRef.name"),
            ({"registration": {"existingSecret": "login"}}, "registration.passwordSha256"),
            ({"registration": {"enabled": False}}, "nobody could order"),
            ({"policy": {"content": {"platforms": [{"name": "kubernetes", "credentials": []}]}}}, "another name"),
            ({"broker": {"enabled": False}, "controller": {"enabled": False}}, "nothing would be installed"),
            ({"controller": {"namespacedOnly": True}}, "of the whole cluster"),
            ({"database": {"certificateAuthority": {"secret": "a", "configMap": "b"}}},
             "from a Secret or from a ConfigMap"),
        ]:
            with self.subTest(sentence):
                self.assertIn(sentence, refused(LEAST, values))
        self.assertIn("would wait for the trial database", refused(TRIAL, {"migrations": {"mode": "hook"}}))
        own = merged(LEAST, {"policy": {"existingSecret": {"name": "mine"}, "content": None}})
        self.assertIn("registration.existingSecret", refused(own))


if __name__ == "__main__":
    unittest.main()
