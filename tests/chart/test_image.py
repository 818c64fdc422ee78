"""The Dockerfile, read line by line: no engine is needed, and none is asked."""

import json
import re
import tomllib
import unittest

import yaml

from support import ROOT, objects, pods, source, REGION

CARGO = tomllib.loads(source("Cargo.toml"))["workspace"]


def instructions(text):
    """(instruction, rest) with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


ALL = instructions(source("Dockerfile"))
LAST = max(index for index, (name, _) in enumerate(ALL) if name == "FROM")
BUILD, FINAL = ALL[:LAST], ALL[LAST:]


def rests(part, name):
    return [rest for found, rest in part if found == name]


class Image(unittest.TestCase):
    def test_bases_are_pinned_and_of_one_debian(self):
        bases = [rest.split()[0] for rest in rests(ALL, "FROM")]
        self.assertEqual(len(bases), 2)
        for base in bases:
            self.assertRegex(base, r":.*\d")
            self.assertNotIn("latest", base)
        suites = {re.search(r"bookworm|trixie|forky", base)[0] for base in bases}
        self.assertEqual(len(suites), 1, "the binary finds the C library that it was linked with")
        self.assertIn(f"rust:{CARGO['package']['rust-version']}", bases[0])
        self.assertIn("slim", bases[1])

    def test_the_lock_file_decides(self):
        [build] = [rest for rest in rests(BUILD, "RUN") if "cargo build" in rest]
        self.assertIn("--locked", build)
        self.assertIn("--release", build)

    def test_it_is_nobody_special(self):
        uid, gid = rests(FINAL, "USER")[-1].split(":")
        self.assertGreaterEqual(int(uid), 10000)
        self.assertEqual(uid, gid)
        after = FINAL[[index for index, (name, _) in enumerate(FINAL) if name == "USER"][-1]:]
        self.assertFalse(rests(after, "RUN"))
        for name, _, spec in pods(objects(REGION)):
            self.assertEqual(spec["securityContext"]["runAsUser"], int(uid), name)
        self.assertTrue(any(f"--uid {uid}" in rest for rest in rests(FINAL, "RUN")))

    def test_nothing_but_the_program_gets_in(self):
        self.assertFalse(rests(ALL, "ADD"))
        for rest in rests(FINAL, "COPY"):
            self.assertTrue(rest.startswith("--from=build ") or rest.split()[0] in ("docs/examples", "LICENSE"), rest)
        for rest in rests(FINAL, "RUN"):
            self.assertNotRegex(rest, r"apt|curl|wget|chmod 777")

    def test_no_secret(self):
        for name, rest in ALL:
            if name in ("ENV", "ARG"):
                self.assertNotRegex(rest, r"(?i)secret|password|token|SAMTAL_")

    def test_it_starts_as_itself(self):
        [entry], [command] = rests(FINAL, "ENTRYPOINT"), rests(FINAL, "CMD")
        self.assertEqual(json.loads(entry), ["/usr/local/bin/samtal"])
        # Nothing serves by accident.
        self.assertEqual(json.loads(command), ["--help"])
        self.assertEqual(rests(FINAL, "EXPOSE"), ["8080 8081"])

    def test_it_says_what_it_is(self):
        labels = " ".join(rests(FINAL, "LABEL"))
        for label in ("title", "description", "licenses", "version", "revision"):
            self.assertIn(f"org.opencontainers.image.{label}=", labels)
        version = CARGO["package"]["version"]
        self.assertIn(f"VERSION={version}", rests(FINAL, "ARG"))
        self.assertEqual(yaml.safe_load(source("charts/samtal/Chart.yaml"))["appVersion"], version)

    def test_only_what_the_build_reads_is_sent_to_it(self):
        lines = [line for line in source(".dockerignore").splitlines() if line and not line.startswith("#")]
        self.assertEqual(lines[0], "*")
        let_in = [line[1:] for line in lines if line.startswith("!")]
        for path in let_in:
            self.assertTrue((ROOT / path).exists(), path)
        for member in [*CARGO["members"], "Cargo.toml", "Cargo.lock"]:
            self.assertIn(member.split("/")[0], let_in)
        for out in ("**/target", "**/.env*"):
            self.assertIn(out, lines)
        # What is compiled in from elsewhere in the tree.
        for path in (path for folder in ("crates", "services", "proto") for path in (ROOT / folder).rglob("*.rs")):
            for included in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', path.read_text()):
                target = (path.parent / included).resolve().relative_to(ROOT)
                self.assertTrue(any(str(target).startswith(one) for one in let_in), f"{path} includes {target}")
