"""What the switches do: nothing that matters is left to a comparison with a golden file."""

import base64
import hashlib
import json
import re
import unittest

import yaml

# First: it says where the others are.
from support import LEAST, environment, template

from clients import merged
from settings import CHART, ROOT
from test_values import EVERYTHING, KMS, SETS, TRIAL


def read(secret, key):
    return base64.b64decode(secret["data"][key]).decode()


class TestEveryPod(unittest.TestCase):
    def test_runs_under_the_restricted_standard(self):
        for name, values in SETS.items():
            for pod, spec in template(values).pods().items():
                with self.subTest(f"{name}: {pod}"):
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    for container in spec.get("initContainers", []) + spec["containers"]:
                        security = container["securityContext"]
                        self.assertIs(security["allowPrivilegeEscalation"], False)
                        self.assertIs(security["readOnlyRootFilesystem"], True)
                        self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                        self.assertTrue(container["resources"]["requests"] and container["resources"]["limits"]["memory"])

    def test_a_token_of_kubernetes_only_where_it_is_used(self):
        for values in SETS.values():
            for pod, spec in template(values).pods().items():
                uses = pod.endswith(("-controller", "-crds"))
                self.assertIs(spec["automountServiceAccountToken"], uses, pod)

    def test_no_secret_stands_in_arguments_or_plain_variables(self):
        rendered = template(TRIAL)
        secrets = [value for secret in rendered.all("Secret") for value in secret.get("data", {}).values()]
        secrets += [base64.b64decode(value).decode() for value in secrets]
        secrets += [rendered.one("Secret", "-trial-database")["stringData"]["POSTGRES_PASSWORD"]]
        secrets = [secret for secret in secrets if secret not in ("kubernetes", base64.b64encode(b"kubernetes").decode())]
        self.assertGreater(len(secrets), 6)
        for pod, spec in rendered.pods().items():
            text = json.dumps(spec)
            self.assertFalse([secret for secret in secrets if secret in text], pod)

    def test_has_time_for_what_the_program_does_before_it_stops(self):
        rendered = template(LEAST, {"broker": {"shutdownGraceSeconds": 40}, "controller": {"shutdownGraceSeconds": 30}})
        broker, controller = rendered.pod("Deployment", "-broker"), rendered.pod("Deployment", "-controller")
        self.assertEqual(environment(broker["containers"][0])["CHANDLERY_SHUTDOWN_GRACE"], "40s")
        pause = broker["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        # Requests have the grace, and turns have it.
        self.assertGreater(broker["terminationGracePeriodSeconds"], pause + 2 * 40)
        self.assertEqual(environment(controller["containers"][0])["CHANDLERY_CONTROLLER_GRACE"], "30s")
        self.assertGreater(controller["terminationGracePeriodSeconds"], 30)

    def test_takes_what_is_given_for_it(self):
        rendered = template(EVERYTHING)
        broker = rendered.one("Deployment", "-broker")["spec"]["template"]
        spec, container = broker["spec"], broker["spec"]["containers"][0]
        self.assertEqual(container["image"], "registry.example/chandlery@sha256:" + "a" * 64)
        self.assertEqual(spec["imagePullSecrets"], [{"name": "pull"}])
        self.assertEqual(spec["priorityClassName"], "high")
        self.assertEqual(spec["topologySpreadConstraints"], [])
        self.assertEqual(spec["tolerations"], [{"operator": "Exists"}])
        self.assertEqual((broker["metadata"]["annotations"], broker["metadata"]["labels"]["a"]), ({"a": "b"}, "b"))
        self.assertIn({"name": "extra", "mountPath": "/extra"}, container["volumeMounts"])
        self.assertEqual(environment(container)["AWS_ENDPOINT_URL"], "http://127.0.0.1:1")
        self.assertEqual(environment(container)["CHANDLERY_WORKERS"], "64")
        self.assertEqual({one["metadata"]["labels"]["team"] for one in rendered}, {"platform"})

    def test_a_default_can_be_taken_away(self):
        spec = template(LEAST, {"podSecurityContext": {"runAsUser": None, "fsGroup": None}}).pod("Deployment", "-broker")
        self.assertNotIn("runAsUser", spec["securityContext"])
        self.assertTrue(spec["securityContext"]["runAsNonRoot"])


class TestBroker(unittest.TestCase):
    def test_either_can_be_switched_off(self):
        broker = template(SETS["broker alone"])
        self.assertFalse([name for name in broker.names() if "controller" in name or "Policy/r-chandlery.n" in name])
        controller = template(SETS["controller alone"])
        self.assertFalse([name for name in controller.names() if "broker" in name.partition("/")[2] or "migrate" in name])

    def test_the_master_key_comes_from_one_of_three_places(self):
        def key(values):
            rendered = template(values)
            spec = rendered.pod("Deployment", "-broker")
            volume = [one["secret"] for one in spec["volumes"] if one["name"] == "master-key"]
            return rendered, environment(spec["containers"][0]), volume

        _, variables, [volume] = key(LEAST)
        self.assertEqual(variables["CHANDLERY_MASTER_KEY_FILE"], "/etc/chandlery/master-key/master.key")
        # The program warns of a key that everybody may read.
        self.assertEqual((volume["secretName"], volume["defaultMode"]), ("master-key", 0o440))
        rendered, _, [volume] = key(TRIAL)
        made = rendered.one("Secret", volume["secretName"])
        self.assertEqual(len(base64.b64decode(read(made, "master.key"))), 32)
        self.assertEqual(made["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        _, variables, volumes = key(SETS["kms"])
        self.assertEqual((variables["CHANDLERY_MASTER_KEY_KMS"], volumes), (KMS, []))
        self.assertNotIn("CHANDLERY_MASTER_KEY_FILE", variables)

    def test_the_database_comes_from_a_secret_of_yours_or_for_a_trial_with_the_release(self):
        given = template(LEAST)
        reference = {"secretKeyRef": {"name": "database", "key": "DATABASE_URL"}}
        self.assertEqual(environment(given.container("Deployment", "-broker"))["DATABASE_URL"], reference)
        self.assertEqual(given.all("StatefulSet"), [])
        trial = template(TRIAL)
        secret = trial.one("Secret", "-trial-database")["stringData"]
        service = trial.one("Service", "-trial-database")
        host = "r-chandlery-trial-database.n.svc:5432"
        self.assertEqual(secret["DATABASE_URL"], f"postgres://chandlery:{secret['POSTGRES_PASSWORD']}@{host}/chandlery")
        self.assertEqual(service["spec"]["ports"][0]["port"], 5432)
        lasting = template(TRIAL, {"database": {"trial": {"persistence": {"enabled": False}}}})
        self.assertNotIn("volumeClaimTemplates", lasting.one("StatefulSet")["spec"])

    def test_the_databases_authority_is_a_file(self):
        for source in ("secret", "configMap"):
            rendered = template(LEAST, {"database": {"certificateAuthority": {source: "authority", "key": "root.pem"}}})
            for kind, name in (("Deployment", "-broker"), ("Job", "-migrate")):
                spec = rendered.pod(kind, name)
                volume = next(one for one in spec["volumes"] if one["name"] == "database-authority")
                self.assertEqual(volume[source]["items"], [{"key": "root.pem", "path": "ca.crt"}])
                self.assertIn("/etc/chandlery/database",
                              [one["mountPath"] for one in spec["containers"][0]["volumeMounts"]])

    def test_migrations_come_before_everything_or_with_the_pods_of_a_trial(self):
        hook = template(LEAST)
        job = hook.one("Job", "-migrate")
        self.assertEqual(job["metadata"]["annotations"]["helm.sh/hook"], "pre-install,pre-upgrade")
        self.assertEqual(job["spec"]["template"]["spec"]["containers"][0]["args"], ["migrate"])
        self.assertNotIn("initContainers", hook.pod("Deployment", "-broker"))
        # A hook would wait for a database that comes after it. What it refers to must be there before the release.
        made = {one["metadata"]["name"] for one in hook if "helm.sh/hook" not in one["metadata"].get("annotations", {})}
        spec = job["spec"]["template"]["spec"]
        self.assertNotIn(spec.get("serviceAccountName", "default"), made)
        self.assertFalse([name for name in re.findall(r'"(?:name|secretName)": "([^"]+)"',
                                                      json.dumps(spec["containers"][0]["env"]))
                          if name in made])
        trial = template(TRIAL)
        self.assertEqual(trial.all("Job", "-migrate"), [])
        [init] = trial.pod("Deployment", "-broker")["initContainers"]
        self.assertEqual(init["args"], ["migrate"])
        none = template(LEAST, {"migrations": {"mode": "none"}})
        self.assertEqual((none.all("Job", "-migrate"), none.pod("Deployment", "-broker").get("initContainers")), ([], None))

    def test_offerings_are_the_images_or_of_a_configmap(self):
        def mounted(*values):
            rendered = template(LEAST, *values)
            spec = rendered.pod("Deployment", "-broker")
            mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
            self.assertEqual(environment(spec["containers"][0])["CHANDLERY_CATALOG"],
                             mounts.get("catalog", "/etc/chandlery/catalog"))
            return rendered, next((one["configMap"]["name"] for one in spec["volumes"] if one["name"] == "catalog"), None)

        self.assertIsNone(mounted()[1])
        self.assertEqual(mounted({"catalog": {"existingConfigMap": "mine"}})[1], "mine")
        offering = (ROOT / "catalog" / "sqs-queue.yaml").read_text()
        rendered, name = mounted({"catalog": {"offerings": {"a.yaml": offering, "b.yaml": {"id": "b"}}}})
        data = rendered.one("ConfigMap", name)["data"]
        self.assertEqual((data["a.yaml"].rstrip(), yaml.safe_load(data["b.yaml"])), (offering.rstrip(), {"id": "b"}))

    def test_files_that_change_are_mounted_as_directories(self):
        # A single file (subPath) is never renewed while the pod lives.
        for pod, spec in template(EVERYTHING).pods().items():
            for mount in spec["containers"][0].get("volumeMounts", []):
                self.assertNotIn("subPath", mount, pod)

    def test_credentials_of_aws(self):
        rendered = template(LEAST, {"aws": {"roleArn": "arn:aws:iam::123456789012:role/x", "region": "eu-west-1"},
                                    "broker": {"serviceAccount": {"annotations": {"a": "b"}}}})
        account = rendered.one("ServiceAccount", "-broker")
        self.assertEqual(account["metadata"]["annotations"],
                         {"a": "b", "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/x"})
        self.assertEqual(rendered.pod("Deployment", "-broker")["serviceAccountName"], account["metadata"]["name"])
        self.assertEqual(environment(rendered.container("Deployment", "-broker"))["AWS_REGION"], "eu-west-1")
        keys = environment(template(LEAST, {"aws": {"credentialsSecret": "aws"}}).container("Deployment", "-broker"))
        self.assertEqual(keys["AWS_SECRET_ACCESS_KEY"], {"secretKeyRef": {"name": "aws", "key": "AWS_SECRET_ACCESS_KEY"}})
        self.assertTrue(keys["AWS_SESSION_TOKEN"]["secretKeyRef"]["optional"])
        own = template(LEAST, {"broker": {"serviceAccount": {"create": False, "name": "mine"}}})
        self.assertEqual((own.pod("Deployment", "-broker")["serviceAccountName"], own.all("ServiceAccount", "-broker")),
                         ("mine", []))

    def test_autoscaling_and_a_fixed_number_exclude_each_other(self):
        scaled = template(LEAST, {"broker": {"autoscaling": {"enabled": True}}})
        fixed = template(LEAST, {"broker": {"replicas": 5}})
        self.assertNotIn("replicas", scaled.one("Deployment", "-broker")["spec"])
        self.assertEqual(scaled.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"], "r-chandlery-broker")
        self.assertEqual((fixed.one("Deployment", "-broker")["spec"]["replicas"], fixed.all("HorizontalPodAutoscaler")),
                         (5, []))

    def test_selectors_find_their_own_pods_only(self):
        rendered = template(TRIAL)
        pods = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
                for one in rendered if "template" in one.get("spec", {})}

        def found(selector):
            return {name for name, labels in pods.items() if selector.items() <= labels.items()}

        for ending in ("-broker", "-controller"):
            name = f"r-chandlery{ending}"
            self.assertEqual(found(rendered.one("Deployment", ending)["spec"]["selector"]["matchLabels"]), {name})
            self.assertEqual(found(rendered.one("PodDisruptionBudget", ending)["spec"]["selector"]["matchLabels"]), {name})
            self.assertEqual(found(rendered.one("NetworkPolicy", ending)["spec"]["podSelector"]["matchLabels"]), {name})
            self.assertEqual(found(rendered.one("Service", f"{ending}-metrics")["spec"]["selector"]), {name})
        self.assertEqual(found(rendered.one("Service", "-broker")["spec"]["selector"]), {"r-chandlery-broker"})
        ingress = rendered.one("NetworkPolicy", "-broker")["spec"]["ingress"]
        self.assertEqual(found(ingress[0]["from"][0]["podSelector"]["matchLabels"]), {"r-chandlery-controller"})


class TestRegistration(unittest.TestCase):
    def test_the_policy_knows_the_digest_of_the_password_that_the_registration_names(self):
        rendered = template(LEAST, {"registration": {"offerings": ["s3-*"], "limits": {"instances": 5}},
                                    "policy": {"content": {"platforms": [
                                        {"name": "cf", "credentials": [{"token_sha256": "b" * 64}]}]}}})
        broker = rendered.one("ClusterServiceBroker", "chandlery")
        reference = broker["spec"]["authInfo"]["basic"]["secretRef"]
        login = rendered.one("Secret", reference["name"])
        self.assertEqual(reference["namespace"], login["metadata"]["namespace"])
        digest = hashlib.sha256(read(login, "password").encode()).hexdigest()
        ours, other = rendered.policy()["platforms"]
        self.assertEqual(ours, {"name": "kubernetes", "offerings": ["s3-*"], "limits": {"instances": 5},
                                "credentials": [{"username": read(login, "username"), "password_sha256": digest}]})
        self.assertEqual(other["name"], "cf")
        self.assertGreaterEqual(len(read(login, "password")), 40)

    def test_it_stays_when_the_release_goes_and_so_does_its_login(self):
        rendered = template(LEAST)
        for one in (rendered.one("ClusterServiceBroker"), rendered.one("Secret", "-login")):
            self.assertEqual(one["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")

    def test_a_login_of_your_own(self):
        rendered = template(LEAST, {"registration": {"existingSecret": "mine", "passwordSha256": "c" * 64}})
        self.assertEqual(rendered.policy()["platforms"][0]["credentials"][0]["password_sha256"], "c" * 64)
        self.assertEqual(rendered.one("ClusterServiceBroker")["spec"]["authInfo"]["basic"]["secretRef"]["name"], "mine")
        self.assertEqual(rendered.all("Secret", "-login"), [])
        own = template(SETS["own policy"])
        self.assertEqual(own.all("Secret", "-broker-policy"), [])

    def test_none(self):
        other = {"policy": {"content": {"platforms": [{"name": "cf", "credentials": [{"token_sha256": "b" * 64}]}]}}}
        rendered = template(LEAST, other, {"registration": {"enabled": False}})
        self.assertEqual((rendered.all("ClusterServiceBroker"), rendered.all("Secret", "-login")), ([], []))
        self.assertEqual([one["name"] for one in rendered.policy()["platforms"]], ["cf"])

    def test_it_trusts_the_certificate_that_the_broker_shows(self):
        rendered = template(LEAST)
        secret = rendered.one("Secret", "-tls")
        spec = rendered.one("ClusterServiceBroker")["spec"]
        self.assertEqual(spec["caBundle"], secret["data"]["ca.crt"])
        self.assertEqual(spec["url"], "https://r-chandlery-broker.n.svc:443")
        # The authority's own key is kept nowhere, and only what the broker needs is mounted.
        self.assertEqual(set(secret["data"]), {"ca.crt", "tls.crt", "tls.key"})
        volume = next(one for one in rendered.pod("Deployment", "-broker")["volumes"] if one["name"] == "tls")
        self.assertEqual([one["key"] for one in volume["secret"]["items"]], ["tls.crt", "tls.key"])
        plain = template(LEAST, {"tls": {"mode": "none"}})
        self.assertEqual(plain.one("ClusterServiceBroker")["spec"]["url"], "http://r-chandlery-broker.n.svc:80")
        self.assertNotIn("CHANDLERY_TLS_CERT", environment(plain.container("Deployment", "-broker")))
        given = template(LEAST, {"tls": {"mode": "existingSecret", "existingSecret": "mine"},
                                 "registration": {"caBundle": "-----BEGIN CERTIFICATE-----\nx"}})
        self.assertEqual(base64.b64decode(given.one("ClusterServiceBroker")["spec"]["caBundle"]),
                         b"-----BEGIN CERTIFICATE-----\nx")
        managed = template(EVERYTHING)
        certificate = managed.one("Certificate")["spec"]
        self.assertEqual((certificate["secretName"], certificate["ipAddresses"]), ("r-chandlery-broker-tls", ["10.1.2.3"]))
        self.assertIn("broker.example", certificate["dnsNames"])
        self.assertEqual(managed.all("Secret", "-tls"), [])


class TestController(unittest.TestCase):
    def test_its_rights_have_no_wildcards_and_no_more_than_it_needs(self):
        for values in (LEAST, EVERYTHING):
            for role in template(values).all("ClusterRole") + template(values).all("Role"):
                for rule in role["rules"]:
                    self.assertNotIn("*", rule["verbs"] + rule["resources"] + rule["apiGroups"])
                    self.assertFalse({"escalate", "bind", "impersonate"} & set(rule["verbs"]))

    def test_only_the_namespaces_that_are_named(self):
        rendered = template(LEAST, {"controller": {"watchNamespaces": ["team-a", "team-b"]}})
        roles = {role["metadata"]["namespace"] for role in rendered.all("Role", "r-chandlery.n.controller")}
        self.assertEqual(roles, {"team-a", "team-b"})
        [cluster] = rendered.all("ClusterRole", ".controller")
        self.assertNotIn("secrets", [resource for rule in cluster["rules"] for resource in rule["resources"]])
        # The registration's login is elsewhere.
        [own] = [role for role in rendered.all("Role", "-controller")]
        self.assertIn({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["r-chandlery-broker-login"],
                       "verbs": ["get"]}, own["rules"])
        self.assertEqual(environment(rendered.container("Deployment", "-controller"))["CHANDLERY_WATCH_NAMESPACES"],
                         "team-a,team-b")
        alone = template(SETS["controller alone"], {"controller": {"watchNamespaces": ["a"], "namespacedOnly": True}})
        [cluster] = alone.all("ClusterRole", ".controller")
        self.assertEqual([rule["resources"] for rule in cluster["rules"]], [["namespaces"]])

    def test_switches_of_admission(self):
        def policies(*values, **options):
            return {name.rpartition(".")[2] for name in template(LEAST, *values,
                                                                 **options).names() if "AdmissionPolicy/" in name}

        self.assertEqual(policies(), {"identity", "orders", "secrets", "own-secrets"})
        self.assertEqual(policies(flags=()), {"orders", "secrets", "own-secrets"})
        self.assertEqual(policies({"admission": {"identity": "policy"}}, flags=()),
                         {"identity", "orders", "secrets", "own-secrets"})
        self.assertEqual(policies({"admission": {"identity": "off", "secrets": False, "ownSecrets": False}}), {"orders"})

    def test_the_controller_records_who_orders_where_the_cluster_does_not(self):
        kind = "MutatingWebhookConfiguration"
        self.assertEqual(template(LEAST).all(kind), [])
        self.assertEqual(template(LEAST, {"admission": {"identity": "off"}}, flags=()).all(kind), [])
        for values, options in (({}, {"flags": ()}), ({"admission": {"identity": "webhook"}}, {})):
            rendered = template(LEAST, values, **options)
            [webhook] = rendered.one(kind)["webhooks"]
            self.assertFalse(rendered.all("MutatingAdmissionPolicy"))
            pod = rendered.pod("Deployment", "-controller")
            secret = rendered.one("Secret", "-webhook-tls")
            self.assertEqual(webhook["clientConfig"]["caBundle"], secret["data"]["ca.crt"])
            self.assertEqual(pod["volumes"][0]["secret"]["secretName"], secret["metadata"]["name"])
            service = rendered.one("Service", "-webhook")
            self.assertEqual(webhook["clientConfig"]["service"]["name"], service["metadata"]["name"])
            [port] = [one for one in pod["containers"][0]["ports"] if one["name"] == service["spec"]["ports"][0]["targetPort"]]
            told = environment(pod["containers"][0])
            self.assertTrue(told["CHANDLERY_WEBHOOK_LISTEN"].endswith(f":{port['containerPort']}"))
            self.assertIn(told["CHANDLERY_WEBHOOK_USER"], webhook["matchConditions"][0]["expression"])
            [policy] = [one for one in rendered.all("NetworkPolicy") if one["metadata"]["name"].endswith("-controller")]
            self.assertIn({"ports": [{"port": "webhook"}]}, policy["spec"]["ingress"])
        issued = template(LEAST, {"admission": {"identity": "webhook", "webhook": {"issuerRef": {"kind": "Issuer", "name": "i"}}}})
        self.assertEqual(issued.one("Certificate", "-webhook")["spec"]["issuerRef"], {"kind": "Issuer", "name": "i"})
        self.assertIn("cert-manager.io/inject-ca-from", issued.one(kind)["metadata"]["annotations"])
        some = template(LEAST, {"admission": {"identity": "webhook"}, "controller": {"watchNamespaces": ["a", "b"]}})
        [namespaces] = some.one(kind)["webhooks"][0]["namespaceSelector"]["matchExpressions"]
        self.assertEqual(namespaces["values"], ["a", "b"])
        given = template(LEAST, {"admission": {"identity": "webhook", "webhook": {"existingSecret": "own", "caBundle": "PEM"}}})
        self.assertEqual(base64.b64decode(given.one(kind)["webhooks"][0]["clientConfig"]["caBundle"]), b"PEM")
        self.assertEqual(given.all("Secret", "-webhook-tls"), [])

    def test_what_it_is_called_in_the_policies_is_what_it_runs_as(self):
        rendered = template(LEAST, {"controller": {"serviceAccount": {"name": "mine"}}})
        self.assertEqual(rendered.pod("Deployment", "-controller")["serviceAccountName"], "mine")
        for policy in rendered.all("ValidatingAdmissionPolicy") + rendered.all("MutatingAdmissionPolicy"):
            self.assertIn("'system:serviceaccount:n:mine'", policy["spec"]["matchConditions"][0]["expression"])

    def test_the_kinds_are_brought_to_the_programs_version_and_never_removed(self):
        rendered = template(LEAST)
        self.assertEqual(rendered.container("Job", "-crds")["args"], ["controller", "crds", "--apply"])
        self.assertEqual(rendered.all("CustomResourceDefinition"), [])
        files = {yaml.safe_load(file.read_text())["metadata"]["name"] for file in (CHART / "crds").glob("*.yaml")}
        named = next(rule for rule in rendered.one("ClusterRole", ".crds")["rules"] if "resourceNames" in rule)
        self.assertEqual(set(named["resourceNames"]), files)
        self.assertNotIn("delete", named["verbs"])
        self.assertEqual(template(LEAST, {"crds": {"apply": False}}).all("Job", "-crds"), [])


class TestMonitoring(unittest.TestCase):
    def test_everything_that_is_asked_for_is_measured(self):
        # As the programs register them; a unit or `_total` comes behind.
        known = set()
        for source, prefix in (("src/metrics.rs", "chandlery_"), ("src/metrics/controller.rs", "chandlery_controller_")):
            text = (ROOT / source).read_text()
            names = re.findall(r'add(?:_histogram|_seconds)?\(\s*r,\s*"([a-z_]+)"', text) + ["build"]
            known |= {prefix + name + unit for name in names for unit in ("", "_total", "_seconds", "_info")}
            known |= set(re.findall(r"chandlery_[a-z_]+", text))
        rendered = template(EVERYTHING)
        boards = rendered.one("ConfigMap", "-dashboards")["data"]
        self.assertEqual(set(boards), {"chandlery-broker.json", "chandlery-controller.json"})
        rules = json.dumps(rendered.one("PrometheusRule")["spec"])
        for name, text in boards.items() | {("rules", rules)}:
            asked = {re.sub("_(bucket|sum|count)$", "", metric) for metric in re.findall(r"chandlery_[a-z_]+", text)}
            self.assertGreater(len(asked), 3)
            self.assertEqual(asked - known, set(), name)
            json.loads(text)

    def test_both_are_scraped_by_one_monitor(self):
        rendered = template(EVERYTHING)
        monitor = rendered.one("ServiceMonitor")
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [one["metadata"] for one in rendered.all("Service")]
        services = {one["name"] for one in found if wanted <= one["labels"].items()}
        self.assertEqual(services, {"r-chandlery-broker-metrics", "r-chandlery-controller-metrics"})
        self.assertEqual(monitor["metadata"]["labels"]["release"], "prometheus")


if __name__ == "__main__":
    unittest.main()
