"""The real binary takes what chart and compose file give it. Skipped where none is built: `cargo build -p samtal`."""

import contextlib
import json
import os
import pathlib
import re
import select
import subprocess
import tempfile
import time
import unittest
import urllib.request

import yaml

from support import EXAMPLES, LOGS, ROLES, ROOT, SINGLE, objects, of_kind, settings_map, tool
from test_compose import OURS
from test_rendered import EVERYTHING

BINARY = ROOT / "target" / "debug" / "samtal"
SECRET = "a-secret-of-the-tests-that-is-long-enough"


class Running:
    """A process and what it has said so far; killed at the end."""

    def __init__(self, arguments, environment, folder):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SAMTAL_")}
        self.process = subprocess.Popen([str(BINARY), *arguments], env={**clean, **environment}, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = ""

    def says(self, pattern, seconds=30):
        """Until it says that, or ends."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = re.search(pattern, self.said)
            if found:
                return found
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                more = os.read(self.process.stdout.fileno(), 65536)
                if not more:
                    break
                self.said += more.decode()
        raise AssertionError(f"it did not say {pattern!r}: {self.said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


# `make test` has built it, and skips nothing.
@unittest.skipUnless(BINARY.is_file() or "SAMTAL_TOOL_PYTHON" in os.environ, "no binary is built")
class Binary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, rendered, name="samtal"):
        one = settings_map(rendered)
        path = self.folder / f"{name}.toml"
        path.write_text(one["data"]["samtal.toml"])
        return str(path)

    def serves(self, starts):
        """(role, arguments, environment) of each. A service says that its PostgreSQL is away only after it has taken all settings; the pages need
        none. All at once, for it tries for 5 s before it says so."""
        with contextlib.ExitStack() as stack:
            running = []
            for role, arguments, environment in starts:
                # Nobody listens on port 1.
                environment = {"SAMTAL_SECRET": SECRET, "SAMTAL_STORE": "postgres://samtal@127.0.0.1:1/samtal", **environment,
                               "SAMTAL_BUS": "nats://127.0.0.1:1", "SAMTAL_CACHE": "redis://127.0.0.1:1"}
                if role == "gateway":
                    environment = {name: value for name, value in environment.items() if name not in ("SAMTAL_STORE", "SAMTAL_BUS")}
                arguments = ["serve", role, *arguments, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
                running.append((role, stack.enter_context(Running(arguments, environment, self.folder))))
            for role, process in running:
                process.says("gateway is ready" if role == "gateway" else "waiting for PostgreSQL")

    def test_it_takes_the_charts_settings(self):
        starts = []
        for name, values in [("everything", EVERYTHING), *((path.stem, yaml.safe_load(path.read_text())) for path in EXAMPLES if path.stem != "association")]:
            settings = self.file(objects(values), name)
            for role in ROLES if name == "everything" else ["intake"]:
                starts.append((role, ["--config", settings, "--replica", f"samtal-{role}-0"], {"SAMTAL_SMTP": "smtp://mail:25"}))
        self.serves(starts)

    def test_it_takes_the_compose_files_settings(self):
        starts = []
        for one in OURS.values():
            if one["command"][0] == "serve":
                environment = {variable: re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}", lambda found: found[1] or "", value)
                               for variable, value in one["environment"].items()}
                environment |= {"SAMTAL_SECRET": SECRET, "SAMTAL_STORE": "postgres://samtal@127.0.0.1:1/samtal"}
                starts.append((one["command"][1], [], environment))
        self.serves(starts)

    def test_it_refuses_what_it_does_not_know(self):
        """So that the two tests above can fail."""
        rendered = objects({**SINGLE, "settings": {"extra": {"typo": 1}}})
        with Running(["serve", "intake", "--config", self.file(rendered)], {"SAMTAL_SECRET": SECRET}, self.folder) as process:
            process.says("unknown field.*typo")

    def test_one_machine_runs_and_its_probes_and_test_answer(self):
        rendered = objects(SINGLE)
        settings = self.file(rendered)
        here = ["--data", str(self.folder / "data"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
        environment = {"SAMTAL_SECRET": SECRET, "SAMTAL_ATTACHMENTS": f"file:{self.folder}/attachments", "SAMTAL_JSON": "false"}
        [pod] = of_kind(rendered, "Pod")
        [single] = of_kind(rendered, "StatefulSet")
        [container] = single["spec"]["template"]["spec"]["containers"]
        with Running(["up", "--config", settings, *here], environment, self.folder) as process:
            found = process.says(r"pages at http://(\S+)/, gRPC at (\S+),")
            pages, grpc = found[1], found[2]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                with urllib.request.urlopen(f"http://{pages}{container[probe]['httpGet']['path']}", timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
            health = [tool("BUF"), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", "{}",
                      f"http://{grpc}/grpc.health.v1.Health/Check"]
            done = subprocess.run(health, capture_output=True, text=True, timeout=30)
            self.assertEqual(json.loads(done.stdout or "{}").get("status"), "SERVING", done.stderr)
            # The tool's settings are the pod's; only the address is another.
            self.assertEqual([one["args"][2] for one in pod["spec"]["containers"]], LOGS)
            for one in pod["spec"]["containers"]:
                arguments = [settings if value == "/etc/samtal/samtal.toml" else value for value in one["args"][:-1]] + [f"http://{grpc}"]
                with Running(arguments, {"SAMTAL_SECRET": SECRET}, self.folder) as asking:
                    asking.says("0 set aside")
            # And with another secret it fails.
            with Running(arguments, {"SAMTAL_SECRET": SECRET + "!"}, self.folder) as asking:
                self.assertNotEqual(asking.process.wait(30), 0)
