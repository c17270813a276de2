"""What is carried over of Keras's public names: the tables of docs/coverage.md and of README.md.

    python -m tests.coverage     runs every sample of every row, and writes both anew

A name has a row, with the largest error of its samples in both frameworks, or a golden case that
shows it, or a reason why it is refused.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from k2t import table
from k2t.analyse.names import canonical
from k2t.ir.finding import Severity
from k2t.pipeline import migrate

from .names import KNOWN

ROOT = Path(__file__).parent.parent
DOCUMENT, README = ROOT / "docs" / "coverage.md", ROOT / "README.md"
MARKED = re.compile(r"(<!-- coverage -->\n).*?(<!-- /coverage -->)", re.S)
MODULES = {
    "layers": "keras.layers",
    "activations": "keras.activations",
    "initializers": "keras.initializers",
    "regularizers": "keras.regularizers",
    "constraints": "keras.constraints",
    "losses": "keras.losses",
    "metrics": "keras.metrics",
    "optimizers": "keras.optimizers",
    "schedules": "keras.optimizers.schedules",
    "callbacks": "keras.callbacks",
    "ops": "keras.ops",
    "images": "keras.ops.image",
    "random": "keras.random",
    "backend": "tf_keras.backend",
}
# what is no row: carried over by code, and shown by these
SHOWN = {
    "keras.layers.Input": "golden/regression_functional",
    "keras.layers.InputLayer": "golden/batchnorm_cnn",
    "keras.layers.Layer": "golden/own_layers",
    "keras.activations.get": "golden/highway_layers",
    "keras.initializers.get": "golden/highway_layers",
    "keras.regularizers.get": "golden/highway_layers",
    "keras.constraints.get": "golden/highway_layers",
    "keras.losses.Loss": "golden/own_scores",
    "keras.metrics.Metric": "golden/own_scores",
    "keras.optimizers.schedules.LearningRateSchedule": "golden/warm_up",
    "keras.initializers.Initializer": "golden/own_pieces",
    "keras.regularizers.Regularizer": "golden/own_pieces",
    "keras.constraints.Constraint": "golden/own_pieces",
    "keras.callbacks.Callback": "golden/own_callbacks",
}
SPELLED = {"keras.ops": "keras.ops", "keras.random": "keras.random", "tf_keras.backend": "K"}
"""How tests/names.py begins the names of modules."""
TOKEN = re.compile(r"\b(?:nn|F|torch|tm|lr_scheduler)(?:\.[A-Za-z]\w*)+")
IMPORTED = re.compile(r"from torchmetrics\.\w+ import (\w+)")
BASIC = ("nn.Module", "nn.Sequential", "nn.init", "torch.as_tensor", "torch.nn", "torch.utils")


@dataclass
class Told:
    """What the samples of a row say: torch's words, emitted helpers, findings, errors."""

    samples: int = 0
    read: int = 0
    worst: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)
    helpers: Counter[str] = field(default_factory=Counter)
    codes: set[str] = field(default_factory=set)


@cache
def helper_names() -> frozenset[str]:
    """The definitions that k2t emits, but for those about data."""
    found: set[str] = set()
    for path in (ROOT / "k2t" / "render" / "helpers").glob("*.py"):
        if path.stem not in ("data", "__init__"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    return frozenset(found)


def read(told: Told, script: str, dialect: str) -> None:
    """Note what a case is migrated to."""
    told.read += 1
    result = migrate(script.encode(), "case.py", dialect=dialect)
    text = result.text or ""
    words = {*TOKEN.findall(text), *IMPORTED.findall(text)}
    told.tokens.update(word for word in words if not word.startswith(BASIC))
    bodies = ast.parse(text).body
    defined = {n.name for n in bodies if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    told.helpers.update(defined & helper_names())
    told.codes |= {f.code for f in result.findings if f.severity is Severity.WARNING}


def measured() -> dict[str, Told]:
    """Every sample of every row, executed. Raises RuntimeError where one fails."""
    from .rows.run import errors, keras_values
    from .rows.training import all_cases

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    cases = all_cases()
    rows: dict[str, Told] = defaultdict(Told)
    with tempfile.TemporaryDirectory() as folder:
        keras = keras_values(cases, Path(folder))
    for case in cases:
        told = rows[case.row]
        worst = max(errors(case, keras).values())
        if worst > case.bound:
            raise RuntimeError(f"{case.name}: {worst:.1e}")
        told.samples += 1
        if getattr(case, "mode", "") != "initial" or case.row.startswith("initializers"):
            told.worst = max(told.worst, worst)
        if not case.name.endswith((", graph", " behind a layer")):  # which have layers of their own
            read(told, case.script, case.dialect)
    return without_common(rows)


def without_common(rows: dict[str, Told]) -> dict[str, Told]:
    """Without the helpers that most rows of a section emit: those are about training."""
    for of in {name.partition("/")[0] for name in rows}:
        mine = [told for name, told in rows.items() if name.startswith(f"{of}/")]
        uses = Counter(helper for told in mine for helper in told.helpers)
        for helper, count in uses.items():
            if 2 * count > len(mine):
                for told in mine:
                    told.helpers.pop(helper, None)
    return rows


# ------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True)
class Entry:
    """A public name: "row", "shown", "refused" or "open"; ``about`` is the row, case or reason."""

    name: str
    kind: str
    about: str


def public_names(modules: Sequence[str]) -> dict[str, list[str]]:
    """The names that the installed Keras has, from a child process."""
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.rows.public", *modules]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def entries(module: str, names: Sequence[str]) -> Iterator[Entry]:
    rules = table.load()
    for name in names:
        path = canonical(f"{module}.{name}")
        row = rules.find(path)
        if row is not None:
            yield Entry(name, "row", f"{row.section}/{row.name}")
        elif module in SPELLED and f"{SPELLED[module]}.{name}" in KNOWN:
            yield Entry(name, "shown", "tests/test_names.py")
        elif (reason := rules.reason(path)) is not None:
            yield Entry(name, "refused", reason)
        elif (case := SHOWN.get(f"{module}.{name}")) is not None:
            yield Entry(name, "shown", case)
        else:
            yield Entry(name, "open", "no rule yet: refused by name (K2T900)")


def spelled(told: Told, common: Counter[str], rows: int) -> str:
    """The words of torch that are this row's rather than those of all rows."""
    own = [t for t, n in told.tokens.most_common() if 2 * n >= told.read]
    own = [t for t in own if 3 * common[t] < max(rows, 4)][:3]
    return ", ".join(f"`{t}`" for t in [*sorted(own), *sorted(told.helpers)[:3]])


def way(told: Told) -> str:
    """Whether torch alone does, or a helper is emitted, and what is said of it."""
    always = any(count == told.read for count in told.helpers.values())
    kind = "helper" if always else "plain or helper" if told.helpers else "plain"
    return ", ".join([kind, *sorted(told.codes)])


def section(title: str, found: Sequence[Entry], rows: dict[str, Told]) -> list[str]:
    """The table of a module."""
    used = {e.about: rows[e.about] for e in found if e.kind == "row" and e.about in rows}
    common = Counter(t for told in used.values() for t in told.tokens)
    lines = [f"## {title}", "", "| name | in torch | how | samples | largest error |"]
    lines.append("|---|---|---|---|---|")
    for entry in found:
        told = rows.get(entry.about) if entry.kind == "row" else None
        if told is not None:
            words = spelled(told, common, len(used))
            cells = [words, way(told), str(told.samples), f"{told.worst:.0e}"]
        elif entry.kind == "row":
            cells = ["", "golden cases and tests", "", ""]
        else:
            cells = ["", f"{entry.kind}: {entry.about}", "", ""]
        lines.append(f"| {entry.name} | {' | '.join(cells)} |")
    return [*lines, ""]


def summary(found: dict[str, list[Entry]], rows: dict[str, Told]) -> list[str]:
    """A line for each module."""
    lines = ["| module | names | plain | helper | of these with a finding | refused | open |"]
    lines.append("|---|---|---|---|---|---|---|")
    for module, of in found.items():
        told = [rows.get(e.about, Told()) for e in of if e.kind in ("row", "shown")]
        counts = [
            len(of),
            sum(not t.helpers for t in told),
            sum(bool(t.helpers) for t in told),
            sum(bool(t.codes) for t in told),
            sum(e.kind == "refused" for e in of),
            sum(e.kind == "open" for e in of),
        ]
        lines.append(f"| `{module}` | {' | '.join(map(str, counts))} |")
    return lines


def main() -> None:
    start = time.perf_counter()
    rows = measured()
    spent = time.perf_counter() - start
    names = public_names(list(MODULES.values()))
    found = {module: list(entries(module, of)) for module, of in names.items()}
    samples = sum(told.samples for told in rows.values())
    head = [
        "# What is carried over",
        "",
        "Generated by `python -m tests.coverage`, which runs every sample in both frameworks: "
        f"{len(rows)} rows, {samples} samples, {spent / 60:.1f} minutes on two cores.",
        "",
        "Errors are relative: of outputs in training and inference, of gradients and statistics;",
        "of losses and their gradients, metrics, weights after training. Of initializers it is the",
        "distance of the distributions. A code is a finding that says what differs",
        "(`k2t explain CODE`).",
        "",
    ]
    short = summary(found, rows)
    body = [line for m, of in found.items() for line in section(f"`{m}`", of, rows)]
    DOCUMENT.write_text("\n".join([*head, *short, "", *body]).rstrip() + "\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(MARKED.sub(marked("\n".join(short)), text), encoding="utf-8")


def marked(text: str) -> Any:
    return lambda match: f"{match[1]}{text}\n{match[2]}"


if __name__ == "__main__":
    main()
