"""What is rendered: every example, every switch, and all of it at once."""

import json
import re
import unittest

import helm_python as helm
import yaml

from invariants import wrong
from support import CHART, EXAMPLES, LOGS, REGION, ROLES, SINGLE, files, merged, objects, of_kind, pods, source
from test_values import GRPC, INGRESS, KEDA, PARENTS, switched

PROMETHEUS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
WAYS_IN = merged(GRPC, INGRESS, {
    "ingress": {"grpc": {"enabled": True, "domain": "api.example.org"}},
    "gatewayApi": {"pages": {"enabled": True, "parentRefs": PARENTS}, "grpc": {"enabled": True, "domain": "g.example.org", "parentRefs": PARENTS}},
})
EVERYTHING = merged(REGION, WAYS_IN, {
    "store": {"existingSecret": "", "cluster": {"enabled": True, "spec": {"backup": {"volumeSnapshot": {"className": "csi"}}}}},
    "smtp": {"existingSecret": "samtal-smtp"}, "caBundle": {"configMap": "ca"}, "proxy": {"https": "http://p:3128"},
    "monitoring": {"enabled": True, **{part: {"enabled": True} for part in ("podMonitor", "rules", "dashboards")}},
    "networkPolicy": {"metricsFrom": PROMETHEUS},
    "settings": {"otlp": "http://c:4317"}, "image": {"pullSecrets": ["registry"]}, "labels": {"team": "care"},
    "defaults": {"autoscaling": {"kind": "hpa"}}, "services": {"gateway": {"autoscaling": {"kind": "keda", "triggers": KEDA}}},
})


def example(name):
    [path] = [path for path in EXAMPLES if path.stem == name]
    return yaml.safe_load(path.read_text())


class Rendered(unittest.TestCase):
    def holds(self, values, **options):
        rendered = objects(values, **options)
        self.assertEqual(wrong(rendered), [])
        return rendered

    def test_examples(self):
        self.assertEqual([path.stem for path in EXAMPLES], ["association", "municipality", "region"])
        for path in EXAMPLES:
            with self.subTest(path.stem):
                self.holds(yaml.safe_load(path.read_text()))

    def test_helm_has_nothing_to_say(self):
        for path in EXAMPLES:
            told = helm.lint(str(CHART), yaml.safe_load(path.read_text()), strict=True)
            # An icon is recommended; we have none.
            self.assertEqual([one for one in told["messages"] if "icon" not in one["error"]], [], path.stem)

    def test_every_switch(self):
        for path, _, values in switched():
            with self.subTest(path):
                self.holds(values)

    def test_everything_at_once(self):
        self.holds(EVERYTHING)
        self.holds(merged(SINGLE, WAYS_IN, {"smtp": {"url": "smtp://m:25"}, "caBundle": {"configMap": "ca"}, "settings": {"otlp": "http://c:4317"}}))
        self.holds(merged(SINGLE, {"store": {"existingSecret": "samtal-store"}}))

    def test_any_release_name(self):
        for name in ("a", "samtal-production", "a-name-of-fifty-three-characters-which-is-the-most-it"):
            with self.subTest(name):
                self.holds(EVERYTHING, name=name)

    def test_an_upgrade_is_the_same(self):
        first, later = objects(REGION, is_install=True, revision=1), objects(REGION, is_upgrade=True, revision=7)
        self.assertEqual(first, later)

    def test_settings_restart_what_reads_them_and_a_new_chart_alone_does_not(self):
        before, after = ({name: metadata for name, metadata, _ in pods(objects(values)) if "checksum/settings" in metadata.get("annotations", {})}
                         for values in (REGION, merged(REGION, {"settings": {"log": "debug"}})))
        self.assertEqual(len(before), len(ROLES))
        for name in before:
            self.assertNotEqual(before[name], after[name])
            self.assertNotIn("helm.sh/chart", before[name]["labels"])

    def test_a_rolling_upgrade_never_has_fewer(self):
        for one in of_kind(objects(REGION), "Deployment"):
            self.assertEqual(one["spec"]["strategy"], {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
            self.assertGreaterEqual(one["spec"]["replicas"], 2)
        alone = merged(REGION, {"attachments": {"accessMode": "ReadWriteOnce"}, "services": {"intake": {"replicas": 1}}})
        kinds = {one["metadata"]["name"]: one["spec"]["strategy"]["type"] for one in of_kind(objects(alone), "Deployment")}
        self.assertEqual([name for name, kind in kinds.items() if kind == "Recreate"], ["samtal-intake"])

    def test_each_service_gets_its_own_logins_and_the_gateway_none(self):
        values = merged(example("region"), {"services": {"triage": {"cache": {"existingSecret": "redis-triage"}}}})
        secrets = {}
        for _, _, spec in pods(objects(values)):
            for one in spec["containers"]:
                if one["args"][0] == "serve":
                    keys = {v["name"]: v["valueFrom"]["secretKeyRef"] for v in one["env"] if "secretKeyRef" in v.get("valueFrom", {})}
                    secrets[one["args"][1]] = {name.removeprefix("SAMTAL_"): f"{key['name']}/{key['key']}" for name, key in keys.items()}
        self.assertEqual(secrets["intake"], {
            "SECRET": "samtal-secret/secret", "STORE": "samtal-store-intake/uri", "BUS": "samtal-nats/intake", "CACHE": "samtal-redis/url"})
        self.assertEqual(secrets["triage"], {
            "SECRET": "samtal-secret/secret", "STORE": "samtal-store/uri", "BUS": "samtal-nats/triage", "CACHE": "redis-triage/url"})
        self.assertEqual(secrets["gateway"], {"SECRET": "samtal-secret/secret", "CACHE": "samtal-redis/url"})

    def test_what_people_wrote_outlives_the_release(self):
        [claim] = of_kind(objects(REGION), "PersistentVolumeClaim")
        self.assertEqual(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        [cluster] = of_kind(objects(EVERYTHING), "Cluster")
        self.assertEqual(cluster["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        [single] = of_kind(objects(SINGLE), "StatefulSet")
        self.assertEqual(single["spec"]["persistentVolumeClaimRetentionPolicy"], {"whenDeleted": "Retain", "whenScaled": "Retain"})
        self.assertEqual(single["spec"]["replicas"], 1)

    def test_a_failover_loses_no_commit_and_connections_suffice(self):
        [cluster] = of_kind(objects(EVERYTHING), "Cluster")
        postgres = cluster["spec"]["postgresql"]
        self.assertEqual(postgres["synchronous"], {"method": "any", "number": 1, "dataDurability": "required"})
        # 12 connections per service and process, and one more while it migrates.
        replicas = max(one["spec"]["maxReplicas"] for one in of_kind(objects(EVERYTHING), "HorizontalPodAutoscaler"))
        self.assertGreaterEqual(int(postgres["parameters"]["max_connections"]), len(LOGS) * (replicas + 1) * 13)
        # More of its spec can be given without losing the rest.
        own = objects(merged(EVERYTHING, {"store": {"cluster": {"spec": {"postgresql": {"parameters": {"work_mem": "8MB"}}}}}}))
        [cluster] = of_kind(own, "Cluster")
        self.assertEqual(cluster["spec"]["postgresql"]["parameters"]["work_mem"], "8MB")
        self.assertIn("synchronous", cluster["spec"]["postgresql"])

    def test_the_test_asks_every_service(self):
        [pod] = of_kind(objects(REGION), "Pod")
        self.assertEqual(pod["metadata"]["annotations"]["helm.sh/hook"], "test")
        self.assertEqual([one["args"][:3] for one in pod["spec"]["containers"]], [["dead-letters", "list", log] for log in LOGS])

    def test_each_alert_leads_to_a_runbook_and_each_runbook_to_an_alert(self):
        values = merged(REGION, {"monitoring": {"rules": {"enabled": True, "runbooks": "https://wiki.example.org/alerts"}}})
        [rule] = of_kind(objects(values), "PrometheusRule")
        alerts = [one for group in rule["spec"]["groups"] for one in group["rules"]]
        sections = re.findall(r"(?m)^## (\w+)$", source("docs/operations/alerts.md"))
        self.assertEqual([one["alert"] for one in alerts], sections)
        for one in alerts:
            self.assertEqual(one["annotations"]["runbook_url"], f"https://wiki.example.org/alerts#{one['alert'].lower()}")
            self.assertIn(one["labels"]["severity"], ("critical", "warning"))
            self.assertTrue(one["annotations"]["summary"].endswith("."))

    def test_dashboards_are_what_grafana_reads(self):
        [boards] = [one for one in of_kind(objects(merged(REGION, {"monitoring": {"dashboards": {"enabled": True}}})), "ConfigMap") if "samtal.toml" not in one["data"]]
        self.assertEqual(sorted(boards["data"]), ["samtal-care.json", "samtal-operation.json"])
        for text in boards["data"].values():
            board = json.loads(text)
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
            for panel in board["panels"]:
                self.assertTrue(panel["title"] and panel["description"] and all(target["expr"] for target in panel["targets"]))
                self.assertLessEqual(panel["gridPos"]["x"] + panel["gridPos"]["w"], 24)

    def test_integrators_reach_each_service_by_name(self):
        for kind in ("Ingress", "GRPCRoute"):
            text = yaml.safe_dump(of_kind(objects(EVERYTHING), kind))
            for log in LOGS:
                self.assertIn(f"{log}.{'api' if kind == 'Ingress' else 'g'}.example.org", text)

    def test_notes_say_what_is_missing(self):
        notes = files(REGION)["NOTES.txt"]
        self.assertIn("no way in for browsers", notes)
        self.assertIn("No mail server", notes)
        self.assertIn("NATS", notes)
        self.assertIn("Back it up", files(SINGLE)["NOTES.txt"])
        self.assertIn("no backup", files(merged(REGION, {"store": {"existingSecret": "", "cluster": {"enabled": True}}}))["NOTES.txt"])
        self.assertNotIn("no way in", files(example("region"))["NOTES.txt"])
