"""Trains scripts that nobody here wrote, the examples of keras-team/keras, on both sides.

    python -m tests.real FOLDER_224 [FOLDER_TODAY] [--only NAME ...] [--cache FOLDER]

FOLDER_224 is ``examples/`` of tag 2.2.4, run by the real Keras 2.2.4; FOLDER_TODAY that of today's
tree, run by the installed Keras 3. ``real.toml`` names the scripts and how their sizes are cut.
Prints two tables in Markdown: what trained, and how the migration of every other script ends.
"""

from __future__ import annotations

import argparse
import ast
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from k2t.parse.script import Unreadable
from k2t.pipeline import Migration, migrate
from k2t.verify.compare import FIRST, Report
from k2t.verify.judge import Limits
from k2t.verify.run import Comparison, ProbeFailed, Setting, run_pair

from .conftest import LAUNCH, STUBS

HERE = Path(__file__).parent
ENGINES = {"keras224": str(HERE / "reference" / "keras224.py"), "keras3": "keras3"}
CONTROLS = (1e-7,)
NAMES = {"keras224": "2.2.4", "keras3": "3 (installed)"}
HEADER = (
    "script",
    "steps",
    "Keras, fidelity",
    f"first {FIRST} losses",
    "all losses",
    "control: first, all",
    "epoch metrics",
    "evaluate, predict",
    "final weights",
    "findings",
    "verdict",
)


@dataclass(frozen=True)
class Script:
    """A table of real.toml and the file it is about."""

    path: Path
    engine: str
    edits: tuple[tuple[str, str, str], ...]
    controls: tuple[float, ...]
    allow: dict[str, float]
    fidelity: str

    def text(self) -> str:
        """The script with its sizes cut. Raises ValueError for an edit that changes nothing."""
        text = self.path.read_text(encoding="utf-8")
        for old, new, _ in self.edits:
            if old not in text:
                raise ValueError(f"{self.path}: the text to replace does not occur: {old!r}")
            text = text.replace(old, new)
        return text


def scripts(folders: list[Path], only: list[str]) -> list[Script]:
    """The scripts of real.toml that are in one of the folders."""
    tables = tomllib.loads((HERE / "real.toml").read_text(encoding="utf-8"))
    return [
        Script(
            folder / f"{name}.py",
            table["engine"],
            tuple(map(tuple, table["edits"])),
            tuple(table.get("controls", CONTROLS)),
            table.get("allow", {}),
            table.get("fidelity", "faithful"),
        )
        for name, table in tables.items()
        for folder in folders
        if (folder / f"{name}.py").exists() and (not only or name in only)
    ]


def train(script: Script, cache: Path | None) -> tuple[Migration, Comparison | str]:
    """Migrates a script and trains both; a text instead of the comparison says why it did not."""
    data = script.text().encode()
    migration = migrate(data, script.path.name, fidelity=script.fidelity)
    if migration.text is None:
        return migration, "no Keras found"
    ast.parse(migration.text)
    setting = Setting(
        launch=LAUNCH,
        engine=ENGINES[script.engine],
        stubs=STUBS,
        timeout=1200,
        cache=cache,
    )
    with tempfile.TemporaryDirectory() as name:
        before, after = Path(name, "before.py"), Path(name, "after.py")
        before.write_bytes(data)
        after.write_text(migration.text, encoding="utf-8")
        try:
            limits = Limits(allow=script.allow)
            return migration, run_pair(
                before, after, setting, controls=script.controls, limits=limits
            )
        except ProbeFailed as error:
            side = "Keras" if "before.py" in str(error).splitlines()[0] else "port"
            return migration, f"{side} does not run: {str(error).splitlines()[-1]}"


def row(script: Script, migration: Migration, result: Comparison | str) -> list[str]:
    first = [script.path.stem, "", f"{NAMES[script.engine]}, {script.fidelity}"]
    if isinstance(result, str):
        return [*first, *[""] * 6, severities(migration), result]
    report, control = result.report, result.control
    assert control is not None
    first[1] = " + ".join(str(fit.steps[1]) for fit in report.fits)
    verdict = "follows" if result.verdict.passed else "; ".join(result.verdict.failures)
    if not report.fits:
        verdict = "nothing was trained"
    return [
        *first,
        f"{report.first_ten:.0e}",
        f"{report.overall:.0e}",
        f"{control.first_ten:.0e}, {control.overall:.0e}",
        worst_metric(report),
        ", ".join(f"{o.call} {o.difference:.0e}" for o in report.outputs) or "none",
        f"{report.weights:.0e}",
        severities(migration),
        verdict,
    ]


def worst_metric(report: Report) -> str:
    if not report.metrics:
        return "none"
    name = max(report.metrics, key=lambda name: report.metrics[name])
    return f"{report.metrics[name]:.0e} ({name})" if report.metrics[name] else "equal"


def severities(migration: Migration) -> str:
    count = Counter(finding.severity.value for finding in migration.findings)
    return ", ".join(f"{n} {severity}" for severity, n in sorted(count.items())) or "none"


def end(path: Path) -> list[str]:
    """How the migration of a script that is not trained here ends."""
    try:
        migration = migrate(path.read_bytes(), path.name)
    except Unreadable as error:
        return [path.stem, "not read", str(error)]
    if migration.text is None:
        return [path.stem, "no Keras found", ""]
    ast.parse(migration.text)
    open_ends = Counter(f.message for f in migration.findings if f.severity.value == "error")
    what = "; ".join(f"{message} ({n})" for message, n in open_ends.most_common(3))
    return [path.stem, severities(migration), what]


def line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", type=Path, nargs="+", help="examples of 2.2.4, and of today")
    parser.add_argument("--only", action="append", default=[], help="a script, without .py")
    parser.add_argument("--cache", type=Path, help="keeps recordings here (not after edits of k2t)")
    options = parser.parse_args()

    wanted = scripts(options.folders, options.only)
    unknown = set(options.only) - {script.path.stem for script in wanted}
    if unknown or not wanted:
        parser.error(f"not in these folders or not in real.toml: {', '.join(sorted(unknown))}")
    print(line(HEADER), line(["---"] * len(HEADER)), sep="\n", flush=True)
    bad = 0
    for script in wanted:
        cells = row(script, *train(script, options.cache))
        bad += cells[-1] != "follows"
        print(line(cells), flush=True)
    if not options.only:
        print("", line(("script", "findings", "what is open")), line(["---"] * 3), sep="\n")
        known = {script.path for script in wanted}
        for folder in options.folders:
            for path in sorted(folder.glob("*.py")):
                if path not in known:
                    print(line(end(path)), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
