"""The compose file: schema, and what must hold of it."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from support import DEFAULTS, LOGS, PROCESS_GRACE, ROLES, ROOT, source, tool, unknown_variables

TEXT = source("docker-compose.yml")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("${SAMTAL_IMAGE")}
ENV = dict(line.split("=", 1) for line in source(".env.example").splitlines() if line and not line.startswith("#"))
# Those that run once.
ONCE = {"demo"}


def commands(one):
    return one.get("command", [])


class Compose(unittest.TestCase):
    def test_the_schema_takes_it(self):
        done = subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_it_has_a_name_and_two_profiles(self):
        self.assertEqual(COMPOSE["name"], "samtal")
        self.assertEqual({profile for one in SERVICES.values() for profile in one.get("profiles", [])}, {"demo", "observability"})

    def test_every_role_runs(self):
        self.assertEqual(sorted(commands(one)[1] for one in OURS.values() if commands(one)[0] == "serve"), sorted(ROLES))
        environment = OURS["gateway"]["environment"]
        self.assertEqual({environment[f"SAMTAL_PEERS__{log.upper()}"] for log in LOGS}, {f"http://{log}:8081" for log in LOGS})

    def test_settings_are_known(self):
        for name, one in OURS.items():
            self.assertEqual(unknown_variables(one["environment"]), [], name)
            self.assertNotIn("SAMTAL_DEMO", one["environment"])

    def test_everything_says_whether_it_is_well(self):
        for name, one in SERVICES.items():
            if name in ONCE:
                self.assertEqual(one["restart"], "no")
            else:
                self.assertTrue(one.get("healthcheck", {}).get("test"), name)

    def test_nothing_starts_before_what_it_needs_is_well(self):
        for name, one in SERVICES.items():
            for needed, how in one.get("depends_on", {}).items():
                self.assertEqual(how, {"condition": "service_healthy"}, f"{name} needs {needed}")
                self.assertFalse(set(SERVICES[needed].get("profiles", [])), f"{name} needs {needed}, which may not run")
        servers = {"postgres", "nats-1", "nats-2", "nats-3", "redis"}
        for log in LOGS:
            self.assertEqual(set(SERVICES[log]["depends_on"]), servers)
        self.assertEqual(set(SERVICES["gateway"]["depends_on"]), set(LOGS))

    def test_ports_are_on_loopback_and_servers_have_none(self):
        for name, one in SERVICES.items():
            for port in one.get("ports", []):
                self.assertRegex(port, r"^127\.0\.0\.1:\d+:\d+$", name)
        taken = [port.split(":")[1] for one in SERVICES.values() for port in one.get("ports", [])]
        self.assertEqual(len(taken), len(set(taken)))
        for name in ("postgres", "redis", "nats-1", "nats-2", "nats-3"):
            self.assertNotIn("ports", SERVICES[name])
            self.assertEqual(list(SERVICES[name]["networks"]), ["inside"], name)
        self.assertTrue(COMPOSE["networks"]["inside"]["internal"])

    def test_images_are_pinned(self):
        for name, one in SERVICES.items():
            image = re.sub(r"\$\{\w+:-(.*)\}", r"\1", one["image"])
            self.assertRegex(image, r":v?\d+\.\d+[\w.-]*$", name)

    def test_no_password_has_a_default(self):
        required = set(re.findall(r"\$\{(\w+):\?", TEXT))
        used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
        self.assertEqual(used, set(ENV), "every variable is in .env.example, and no other")
        for name, value in ENV.items():
            secret = "PASSWORD" in name or "SECRET" in name
            self.assertEqual(secret, name in required, name)
            if secret:
                self.assertEqual(value, "", name)
        for name, one in SERVICES.items():
            for variable, value in one.get("environment", {}).items():
                if re.search("PASS|SECRET|AUTH", variable):
                    self.assertRegex(value, r"^\$\{\w+(:\?[^}]*)?\}$", f"{name} {variable}")
                self.assertNotRegex(re.sub(r"\$\{[^}]*\}", "", value), r"://[^/@]*[^/:@]@(?!postgres)", f"{name} {variable}")
        self.assertRegex(source(".gitignore"), r"(?m)^\.env$")

    def test_our_processes_are_locked_down(self):
        for name, one in OURS.items():
            self.assertTrue(one["read_only"], name)
            self.assertEqual(one["cap_drop"], ["ALL"], name)
            self.assertEqual(one["security_opt"], ["no-new-privileges:true"], name)
            self.assertGreater(int(one["stop_grace_period"].removesuffix("s")), PROCESS_GRACE)
        for name, one in SERVICES.items():
            self.assertIn("no-new-privileges:true", one["security_opt"], name)
            self.assertFalse(one.get("privileged") or one.get("network_mode"), name)

    def test_volumes_and_configs_are_declared(self):
        for name, one in SERVICES.items():
            for volume in one.get("volumes", []):
                self.assertIn(volume.split(":")[0], COMPOSE["volumes"], name)
            for config in one.get("configs", []):
                self.assertIn(config["source"], COMPOSE["configs"], name)
        stored = {volume for one in SERVICES.values() for volume in one.get("volumes", [])}
        self.assertEqual(len(stored), len(COMPOSE["volumes"]), "no volume is shared")

    def test_three_nats_nodes_that_write_at_once(self):
        nodes = [name for name, one in SERVICES.items() if one["image"].startswith("nats:")]
        self.assertEqual(nodes, ["nats-1", "nats-2", "nats-3"])
        content = COMPOSE["configs"]["nats"]["content"]
        for node in nodes:
            self.assertEqual(SERVICES[node]["command"][-2:], ["--name", node])
            self.assertIn(f"nats://{node}:6222", content)
            self.assertIn("nats", SERVICES[node]["networks"]["inside"]["aliases"])
        self.assertIn("sync_interval: always", content)

    def test_nats_takes_its_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "nats.conf"
            path.write_text(COMPOSE["configs"]["nats"]["content"])
            done = subprocess.run([tool("NATS"), "-t", "-c", str(path)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_database_login_is_no_superuser(self):
        content = COMPOSE["configs"]["database"]["content"]
        self.assertIn("LOGIN CREATEROLE PASSWORD", content)
        self.assertNotIn("SUPERUSER", content)
        self.assertTrue(OURS["intake"]["environment"]["SAMTAL_STORE"].startswith("postgres://samtal@"))

    def test_it_says_the_same_as_the_chart(self):
        self.assertEqual(ENV["SAMTAL_IMAGE"], f"samtal:{yaml.safe_load(source('charts/samtal/Chart.yaml'))['appVersion']}")
        self.assertEqual(OURS["gateway"]["environment"]["SAMTAL_PAGES__PROXIES"], str(DEFAULTS["pages"]["proxies"]))
