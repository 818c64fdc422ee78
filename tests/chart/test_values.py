"""Every value: does something, is checked, is described; and what is unsafe is refused."""

import unittest

import yaml

import reference
from support import CHART, DEFAULTS, REGION, SCHEMA, SINGLE, at, files, leaves, merged, objects, refusal

GRPC = {"networkPolicy": {"grpcFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}}
PARENTS = [{"name": "gateway", "namespace": "gateways"}]
CLUSTER = {"store": {"existingSecret": "", "cluster": {"enabled": True}}}
INGRESS = {"ingress": {"enabled": True}}
INGRESS_GRPC = merged(GRPC, {"ingress": {"grpc": {"enabled": True, "domain": "api.example.org"}}})
SCALED = {"defaults": {"autoscaling": {"kind": "hpa"}}}
NATS_USERS = {"bus": {"url": "", "existingSecret": "samtal-nats"}}
KEDA = [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}]
PEERS = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]

METRICS_FROM = {"networkPolicy": {"metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]}}
MONITORED = merged(METRICS_FROM, {"monitoring": {"enabled": True}})

# Each value's other setting, and what must be set beside it. A value that is not here fails the tests below.
OTHER = {
    "mode": ("single", {"bus": {"url": ""}, "cache": {"url": ""}}),
    "image.repository": ("registry.example.org:5000/care/samtal", {}),
    "image.tag": ("1.2.3", {}),
    "image.digest": ("sha256:" + "a" * 64, {}),
    "image.pullPolicy": ("Always", {}),
    "image.pullSecrets": (["registry"], {}),
    "secret.existingSecret": ("other", {}),
    "secret.key": ("other", {}),
    "store.existingSecret": ("other", {}),
    "store.key": ("other", {}),
    "store.cluster.enabled": (True, {"store": {"existingSecret": ""}}),
    "store.cluster.instances": (1, CLUSTER),
    "store.cluster.image": ("registry.example.org/postgresql:18.6", CLUSTER),
    "store.cluster.size": ("1Ti", CLUSTER),
    "store.cluster.storageClass": ("fast", CLUSTER),
    "store.cluster.resources.requests.cpu": ("3", CLUSTER),
    "store.cluster.resources.requests.memory": ("3Gi", CLUSTER),
    "store.cluster.resources.limits.memory": ("8Gi", CLUSTER),
    "store.cluster.spec": ({"backup": {"volumeSnapshot": {"className": "csi"}}}, CLUSTER),
    "bus.url": ("tls://nats.nats:4222", {}),
    "bus.existingSecret": ("other", NATS_USERS),
    "bus.key": ("other", NATS_USERS),
    "cache.url": ("redis://other:6379/2", {}),
    "cache.existingSecret": ("samtal-valkey", {"cache": {"url": ""}}),
    "cache.key": ("other", {"cache": {"url": "", "existingSecret": "samtal-valkey"}}),
    "smtp.url": ("smtp://mail.example.org:25", {}),
    "smtp.existingSecret": ("samtal-smtp", {}),
    "smtp.key": ("other", {"smtp": {"existingSecret": "samtal-smtp"}}),
    "pages.publicUrl": ("https://other.example.org:8443", {}),
    "pages.frameAncestors": (["https://www.example.org"], {}),
    "pages.proxies": (2, {}),
    "pages.leaveTo": ("https://www.smhi.se/", {}),
    "settings.log": ("debug", {}),
    "settings.otlp": ("http://collector:4317", {}),
    "settings.reflection": (False, {}),
    "settings.shards": (64, {}),
    "settings.listen": ("[::]", {}),
    "settings.extra": ({"json": False}, {}),
    "monitoring.enabled": (True, METRICS_FROM),
    "monitoring.podMonitor.enabled": (True, MONITORED),
    "monitoring.podMonitor.interval": ("15s", merged(MONITORED, {"monitoring": {"podMonitor": {"enabled": True}}})),
    "monitoring.podMonitor.labels": ({"release": "p"}, merged(MONITORED, {"monitoring": {"podMonitor": {"enabled": True}}})),
    "monitoring.rules.enabled": (True, {}),
    "monitoring.rules.labels": ({"release": "p"}, {"monitoring": {"rules": {"enabled": True}}}),
    "monitoring.rules.runbooks": ("https://wiki.example.org/alerts", {"monitoring": {"rules": {"enabled": True}}}),
    "monitoring.dashboards.enabled": (True, {}),
    "monitoring.dashboards.labels.grafana_dashboard": ("yes", {"monitoring": {"dashboards": {"enabled": True}}}),
    "extraEnv": ([{"name": "SAMTAL_LOG", "value": "warn"}], {}),
    "proxy.https": ("http://proxy.example.org:3128", {}),
    "proxy.noProxy": (".example.org", {"proxy": {"https": "http://proxy.example.org:3128"}}),
    "caBundle.configMap": ("region-ca", {}),
    "caBundle.key": ("bundle.pem", {"caBundle": {"configMap": "region-ca"}}),
    "attachments.existingClaim": ("given", {}),
    "attachments.size": ("1Gi", {}),
    "attachments.storageClass": ("nfs", {}),
    "attachments.accessMode": ("ReadWriteOnce", {"services": {"intake": {"replicas": 1}}}),
    "single.existingClaim": ("given", SINGLE),
    "single.size": ("5Gi", SINGLE),
    "single.storageClass": ("fast", SINGLE),
    "single.resources.requests.cpu": ("2", SINGLE),
    "single.resources.requests.memory": ("1Gi", SINGLE),
    "single.resources.limits.memory": ("2Gi", SINGLE),
    "defaults.replicas": (4, {}),
    "defaults.resources.requests.cpu": ("2", {}),
    "defaults.resources.requests.memory": ("1Gi", {}),
    "defaults.resources.limits.memory": ("2Gi", {}),
    "defaults.autoscaling.kind": ("keda", {"defaults": {"autoscaling": {"triggers": KEDA}}}),
    "defaults.autoscaling.minReplicas": (3, SCALED),
    "defaults.autoscaling.maxReplicas": (9, SCALED),
    "defaults.autoscaling.cpu": (50, SCALED),
    "defaults.autoscaling.triggers": (KEDA * 2, {"defaults": {"autoscaling": {"kind": "keda", "triggers": KEDA}}}),
    "defaults.nodeSelector": ({"disk": "fast"}, {}),
    "defaults.tolerations": ([{"key": "care", "operator": "Exists"}], {}),
    "defaults.affinity": ({"nodeAffinity": {}}, {}),
    "defaults.priorityClassName": ("care", {}),
    "defaults.podAnnotations": ({"a": "b"}, {}),
    "defaults.store.existingSecret": ("own", {}),
    "defaults.store.key": ("own", {"defaults": {"store": {"existingSecret": "own"}}}),
    "defaults.bus.existingSecret": ("own", NATS_USERS),
    "defaults.bus.key": ("own", merged(NATS_USERS, {"defaults": {"bus": {"existingSecret": "own"}}})),
    "defaults.cache.existingSecret": ("own", {}),
    "defaults.cache.key": ("own", {"defaults": {"cache": {"existingSecret": "own"}}}),
    **{f"services.{name}": ({"replicas": 7}, {}) for name in DEFAULTS["services"]},
    "drainSeconds": (200, {}),
    "startupSeconds": (60, {}),
    "spread": ("DoNotSchedule", {}),
    "networkPolicy.enabled": (False, {}),
    "networkPolicy.pagesFrom": (PEERS, {}),
    "networkPolicy.grpcFrom": (PEERS, {}),
    "networkPolicy.metricsFrom": (PEERS, MONITORED),
    "networkPolicy.extraEgress": ([{"ports": [{"port": 443, "protocol": "TCP"}]}], {}),
    **{f"networkPolicy.{name}.to": (PEERS, {"settings": {"otlp": "http://c:4317"}, "smtp": {"url": "smtp://m:25"}})
       for name in ("store", "bus", "cache", "smtp", "otlp")},
    **{f"networkPolicy.{name}.ports": ([4711], {"settings": {"otlp": "http://c:4317"}, "smtp": {"url": "smtp://m:25"}})
       for name in ("store", "bus", "cache", "smtp", "otlp")},
    "ingress.enabled": (True, {}),
    "ingress.className": ("nginx", INGRESS),
    "ingress.annotations": ({"a": "b"}, INGRESS),
    "ingress.tlsSecret": ("tls", INGRESS),
    "ingress.grpc.enabled": (True, merged(GRPC, {"ingress": {"grpc": {"domain": "api.example.org"}}})),
    "ingress.grpc.domain": ("other.example.org", INGRESS_GRPC),
    "ingress.grpc.annotations": ({"a": "b"}, INGRESS_GRPC),
    "ingress.grpc.tlsSecret": ("tls", INGRESS_GRPC),
    "gatewayApi.pages.enabled": (True, {"gatewayApi": {"pages": {"parentRefs": PARENTS}}}),
    "gatewayApi.pages.parentRefs": (PARENTS * 2, {"gatewayApi": {"pages": {"enabled": True, "parentRefs": PARENTS}}}),
    "gatewayApi.grpc.enabled": (True, merged(GRPC, {"gatewayApi": {"grpc": {"domain": "api.example.org", "parentRefs": PARENTS}}})),
    "gatewayApi.grpc.domain": ("other.example.org", merged(GRPC, {"gatewayApi": {"grpc": {"enabled": True, "domain": "a.b", "parentRefs": PARENTS}}})),
    "gatewayApi.grpc.parentRefs": (PARENTS * 2, merged(GRPC, {"gatewayApi": {"grpc": {"enabled": True, "domain": "a.b", "parentRefs": PARENTS}}})),
    "serviceAccount.annotations": ({"a": "b"}, {}),
    "labels": ({"team": "care"}, {}),
}


def switched():
    """(path, values without, values with) for each value."""
    for path, (other, beside) in OTHER.items():
        base = merged(SINGLE if beside is SINGLE else REGION, {} if beside is SINGLE else beside)
        yield path, base, merged(base, at(path, other))


# What is refused, and a word of the reason.
REFUSED = {
    "nothing at all": ({}, "image.repository"),
    "no secret": (merged(REGION, at("secret.existingSecret", "")), "secret.existingSecret"),
    "no address of the pages": (merged(REGION, at("pages.publicUrl", "")), "pages.publicUrl"),
    "no store": (merged(REGION, at("store.existingSecret", "")), "store.existingSecret"),
    "two stores": (merged(REGION, at("store.cluster.enabled", True)), "either"),
    "no bus": (merged(REGION, at("bus.url", "")), "bus.url"),
    "no cache": (merged(REGION, at("cache.url", "")), "cache.url"),
    "a password for NATS in values": (merged(REGION, at("bus.url", "nats://u:p@nats:4222")), "existingSecret"),
    "two buses": (merged(REGION, at("bus.existingSecret", "s")), "either"),
    "a password in values": (merged(REGION, at("cache.url", "redis://:p@valkey:6379")), "existingSecret"),
    "a mail password in values": (merged(REGION, at("smtp.url", "smtps://u:p@mail")), "existingSecret"),
    "two mail servers": (merged(REGION, {"smtp": {"url": "smtp://mail", "existingSecret": "s"}}), "either"),
    "a setting that has a value": (merged(REGION, at("settings.extra.secret", "x")), "settings.extra.secret"),
    "a demo in a cluster": (merged(REGION, at("settings.extra.demo", True)), "settings.extra.demo"),
    "a demo by environment": (merged(REGION, {"extraEnv": [{"name": "SAMTAL_DEMO", "value": "true"}]}), "SAMTAL_DEMO"),
    "gRPC without a domain": (merged(REGION, GRPC, at("ingress.grpc.enabled", True)), "domain"),
    "gRPC open to nobody": (merged(REGION, {"ingress": {"grpc": {"enabled": True, "domain": "a.b"}}}), "grpcFrom"),
    "metrics for everybody": (merged(REGION, at("monitoring.enabled", True)), "metricsFrom"),
    "a monitor of nothing": (merged(REGION, at("monitoring.podMonitor.enabled", True)), "monitoring.enabled"),
    "a route of no Gateway": (merged(REGION, at("gatewayApi.pages.enabled", True)), "parentRefs"),
    "a gRPC route of no Gateway": (merged(REGION, GRPC, {"gatewayApi": {"grpc": {"enabled": True, "domain": "a.b"}}}), "parentRefs"),
    "a gRPC route without a domain": (merged(REGION, GRPC, {"gatewayApi": {"grpc": {"enabled": True, "parentRefs": PARENTS}}}), "domain"),
    "KEDA without triggers": (merged(REGION, at("services.intake.autoscaling.kind", "keda")), "triggers"),
    "fewer than the fewest": (merged(REGION, {"services": {"triage": {"autoscaling": {"kind": "hpa", "minReplicas": 9}}}}), "minReplicas"),
    "replicas that cannot share files": (merged(REGION, at("attachments.accessMode", "ReadWriteOnce")), "ReadWriteOnce"),
    "an autoscaler that cannot share files": (
        merged(REGION, at("attachments.accessMode", "ReadWriteOnce"), {"services": {"intake": {"replicas": 1, "autoscaling": {"kind": "hpa"}}}}), "ReadWriteOnce"),
    "a single process with a bus": (merged(SINGLE, at("bus.url", "nats://nats:4222")), "mode single"),
    "a single process with services": (merged(SINGLE, at("services.intake.replicas", 3)), "mode single"),
    # By the schema:
    "latest": (merged(REGION, at("image.tag", "latest")), "tag"),
    "plain http": (merged(REGION, at("pages.publicUrl", "http://chat.example.org")), "publicUrl"),
    "an address with a path": (merged(REGION, at("pages.publicUrl", "https://example.org/chat")), "publicUrl"),
    "a drain shorter than a call": (merged(REGION, at("drainSeconds", 30)), "drainSeconds"),
    "no such service": (merged(REGION, at("services.intakes", {})), "intakes"),
    "no replicas": (merged(REGION, at("services.intake.replicas", 0)), "replicas"),
    "both kinds of value": (merged(REGION, {"extraEnv": [{"name": "A", "value": "b", "valueFrom": {}}]}), "extraEnv"),
}


class Values(unittest.TestCase):
    def test_each_has_an_other_setting_here(self):
        self.assertEqual(sorted(path for path, _ in leaves(DEFAULTS)), sorted(OTHER))

    def test_each_does_something(self):
        # These need another beside them, without which there is nothing to compare with.
        pairs = {"mode", "store.cluster.enabled", "cache.existingSecret"}
        for path, without, with_it in switched():
            if path not in pairs:
                with self.subTest(path):
                    self.assertNotEqual(files(without), files(with_it), "it changes nothing")

    def test_a_typing_error_is_refused_in_every_table(self):
        tables = {path.rsplit(".", 1)[0] for path, _ in leaves(DEFAULTS) if "." in path}
        tables |= {table.rsplit(".", 1)[0] for table in tables if "." in table} | {"services.intake"}
        free = {"requests", "limits"}
        for table in sorted(tables):
            if table.rsplit(".", 1)[-1] in free:
                continue
            with self.subTest(table):
                self.assertRegex(refusal(merged(REGION, at(f"{table}.typo", 1))) or "", "typo")
        self.assertRegex(refusal(merged(REGION, {"typo": 1})) or "", "typo")

    def test_what_is_unsafe_is_refused_with_its_reason(self):
        for name, (values, reason) in REFUSED.items():
            with self.subTest(name):
                self.assertIn(reason, refusal(values) or "(not refused)")

    def test_the_defaults_are_the_schemas(self):
        self.assertEqual(sorted(DEFAULTS), sorted(set(SCHEMA["properties"]) - {"global"}))

    def test_the_reference_is_current_and_says_something_of_each(self):
        self.assertEqual((CHART / "README.md").read_text(), reference.reference(), "run: python tests/chart/reference.py > charts/samtal/README.md")
        for path, _, comment in reference.rows((CHART / "values.yaml").read_text()):
            self.assertTrue(comment, f"{path} has no comment")
        # Nothing is left out: rows and leaves are the same values.
        told = yaml.safe_load((CHART / "values.yaml").read_text())
        for path, default, _ in reference.rows((CHART / "values.yaml").read_text()):
            if default is not None:
                table = told
                *parents, last = path.split(".")
                for parent in parents:
                    table = table[parent]
                del table[last]
        self.assertEqual([path for path, value in leaves(told) if value != {}], [])
