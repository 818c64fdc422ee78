"""The chart's README: every value with its default and what the comment above it says. `python3 reference.py` prints it; a test compares."""

import json
import pathlib
import re

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "charts" / "samtal"

HEAD = """# Chart `samtal`

Installing: [docs/operations/install.md](../../docs/operations/install.md). Upgrading:
[docs/operations/upgrade.md](../../docs/operations/upgrade.md). To start from: [examples/](examples/).

Made from `values.yaml` by `tests/chart/reference.py`; change it there.

| value | default | |
|---|---|---|
"""


def rows(text):
    """(path, default, comment) of each value; a table that has a comment of its own comes with the default None."""
    values, comment, stack, found = yaml.safe_load(text), [], [], []
    taken = None
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("#").strip())
            continue
        match = re.match(r"^( *)([A-Za-z]+):", line)
        said, comment = " ".join(comment), []
        if not match or taken is not None and len(match[1]) > taken:
            continue
        del stack[len(match[1]) // 2 :]
        stack.append(match[2])
        value = values
        for name in stack:
            value = value[name]
        # Resources and what stands on one line are one value; other tables are several.
        one = not isinstance(value, dict) or stack[-1] == "resources" or line.rstrip().endswith("}")
        taken = len(match[1]) if one else None
        if one or said:
            found.append((".".join(stack), value if one else None, said))
    return found


def reference():
    lines = []
    for path, value, comment in rows((CHART / "values.yaml").read_text()):
        default = "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
        lines.append(f"| `{path}` | {default} | {comment.replace('|', chr(92) + '|')} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
