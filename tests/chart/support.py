"""The chart rendered, and what the code says that it is compared with."""

import copy
import functools
import json
import pathlib
import re
import tomllib

import helm_python as helm
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "samtal"
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# What nobody can leave out.
REGION = {
    "image": {"repository": "registry.example.org/samtal"},
    "secret": {"existingSecret": "samtal-secret"},
    "store": {"existingSecret": "samtal-store"},
    "bus": {"url": "nats://nats:4222"},
    "cache": {"url": "redis://valkey:6379"},
    "pages": {"publicUrl": "https://chat.example.org"},
}
SINGLE = {key: REGION[key] for key in ("image", "secret", "pages")} | {"mode": "single"}


def source(path):
    return (ROOT / path).read_text()


def tool(name):
    """Where .ci/tools found or put a program, as it wrote it down."""
    return re.search(rf"^SAMTAL_TOOL_{name}='(.*)'$", source("target/tools/env"), re.MULTILINE)[1]


def number(path, pattern):
    """A number that the code has, in seconds; the code is where it is decided."""
    found = re.search(pattern, source(path))
    assert found, f"{path} has no {pattern}"
    return int(found[1])


# No call may take longer than the gate allows, and a process that is asked to stop has this long to finish what runs.
SLOWEST_CALL = number("crates/rpc/src/gate.rs", r"MAX_DEADLINE: Duration = Duration::from_secs\((\d+)\)")
PROCESS_GRACE = number("services/samtal/src/suite.rs", r"GRACE: Duration = Duration::from_secs\((\d+)\)")
LOGS = re.findall(r'"(\w+)"', re.search(r"SERVICES: \[&str; \d+\] = \[(.*?)\]", source("services/samtal/src/suite.rs"))[1])
ROLES = [*LOGS, "gateway"]

SETTINGS = tomllib.loads(source("services/samtal/src/default.toml"))


def unknown_settings(settings, known=None, path=""):
    """Settings that the binary would refuse; `peers` takes the services' names."""
    known = SETTINGS if known is None else known
    wrong = []
    for name, value in settings.items():
        if path == "peers.":
            wrong += [] if name in LOGS else [path + name]
        elif name not in known:
            wrong.append(path + name)
        elif isinstance(known[name], dict):
            wrong += unknown_settings(value, known[name], f"{path}{name}.")
    return wrong


def unknown_variables(names):
    """The same for environment variables: SAMTAL_PAGES__PUBLIC_URL is pages.public_url."""
    wrong = []
    for name in names:
        if name.startswith("SAMTAL_"):
            settings = leaf = {}
            *tables, last = name.removeprefix("SAMTAL_").lower().split("__")
            for table in tables:
                leaf[table] = leaf = {}
            leaf[last] = ""
            wrong += [name] if unknown_settings(settings) else []
    return wrong


def merged(base, *overrides):
    out = copy.deepcopy(base)
    for override in overrides:
        for key, value in override.items():
            out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else copy.deepcopy(value)
    return out


def at(path, value):
    """{"a": {"b": value}} for a.b."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def files(values, name="samtal", **options):
    """Template to text; the schema is asked first, as `helm install` does."""
    return render(json.dumps(values), name, **options)


@functools.cache
def render(values, name, **options):
    # Loaded anew each time: a chart that was rendered once keeps what was merged into it.
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(json.loads(values))
        rendered = chart.render(json.loads(values), name=name, namespace="care", **options)
    return {path.removeprefix("samtal/templates/"): text for path, text in rendered.items()}


def objects(values, **options):
    """Every object that would be installed."""
    rendered = files(values, **options)
    texts = [text for path, text in rendered.items() if path != "NOTES.txt" and not path.endswith(".tpl")]
    # By libyaml, where it is there: ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [one for text in texts for one in yaml.load_all(text, loader) if one]


def refusal(values):
    """Why rendering is refused; None if it is not."""
    try:
        files(values)
    except helm.HelmError as error:
        return str(error)
    return None


def of_kind(rendered, *kinds):
    return [one for one in rendered if one["kind"] in kinds]


def pods(rendered):
    """(name, metadata, spec) of everything that runs."""
    for one in rendered:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one["metadata"], one["spec"]
        elif one["kind"] in ("Deployment", "StatefulSet", "Job"):
            template = one["spec"]["template"]
            yield name, template["metadata"], template["spec"]


def settings_map(rendered):
    [one] = [one for one in of_kind(rendered, "ConfigMap") if "samtal.toml" in one["data"]]
    return one


def settings_of(rendered):
    one = settings_map(rendered)
    return tomllib.loads(one["data"]["samtal.toml"])


def matches(selector, labels):
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        assert rule["operator"] == "NotIn", rule
        if labels.get(rule["key"]) in rule["values"]:
            return False
    return True


def leaves(values, path=""):
    """(path, default) of every value; an empty table is one."""
    for name, value in values.items():
        here = f"{path}{name}"
        if isinstance(value, dict) and value:
            yield from leaves(value, here + ".")
        else:
            yield here, value
