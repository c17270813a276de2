"""What `k2t verify --data synthetic` says of scripts that nobody here wrote.

    python -m tests.real_verify FOLDER [NAME ...] [OPTION ...] [-- OPTION OF VERIFY ...]

FOLDER is `examples/` of keras-team/keras (tag 2.2.4); NAME is a script of it, without .py, and a
script may be edited before (`--edit NAME OLD NEW`: its data augmentation turned off). Where k2t
leaves places to the user, the migrated script (in the dialect of the Keras it is run on) is
verified as it is: the run must not come to them. Prints a table in Markdown. Exit status: 1 where
a script is not proved to follow Keras.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HEADER = (
    "script",
    "status",
    "steps",
    "first ten losses",
    "all losses",
    "final weights",
    "errors",
    "taken out",
    "time, memory",
    "verdict",
)


def verified(script: Path, dialect: str, options: list[str], folder: Path) -> list[str]:
    """The row of a script: the last of its runs, with all declared differences taken out."""
    report, port = folder / f"{script.stem}.json", folder / f"{script.stem}_lightning.py"
    migrated = command("migrate", str(script), "-o", str(port), "--dialect", dialect)
    left = migrated.stdout.count(" error: ")
    given = [str(port)] if left else []
    asked = ["verify", str(script), *given, "--data", "synthetic", "--json", str(report)]
    done = command(*asked, *options)
    if not report.exists():
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = said[-1].replace(str(script), script.name) if said else "nothing was said"
        return [script.stem, str(done.returncode), *[""] * 4, str(left), "", "", reason]
    result = json.loads(report.read_text(encoding="utf-8"))
    run = result["runs"][-1]
    return [
        script.stem,
        str(done.returncode),
        " + ".join(str(len(curve["keras"])) for curve in run["curves"]),
        figure(run, "first ten losses"),
        figure(run, "step losses"),
        figure(run, "final weights"),
        str(left),
        ", ".join(run["neutralised"]) or "nothing",
        spent(result["resources"]),
        result["verdict"],
    ]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "k2t", *arguments], capture_output=True, text=True)


def figure(run: dict[str, Any], name: str) -> str:
    """The largest figure of the stages of that name: a script that fits twice has two."""
    figures = [s["figure"] for s in run["stages"] if s["name"].endswith(name)]
    numbers = [f for f in figures if isinstance(f, int | float)]
    return f"{max(numbers):.0e}" if numbers else ""


def spent(resources: list[dict[str, Any]]) -> str:
    seconds = sum(one["seconds"] for one in resources)
    return f"{seconds:.0f} s, {max(one['memory'] for one in resources) / 1e6:.0f} MB"


def edited(script: Path, edits: list[list[str]], folder: Path) -> Path:
    """A copy with the script's edits. Raises ValueError for an edit that changes nothing."""
    text = script.read_text(encoding="utf-8")
    for name, old, new in edits:
        if name == script.stem:
            if old not in text:
                raise ValueError(f"{script}: the text to replace does not occur: {old!r}")
            text = text.replace(old, new)
    copy = folder / script.name
    copy.write_text(text, encoding="utf-8")
    return copy


def line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: every script")
    parser.add_argument("--edit", nargs=3, action="append", default=[], help="NAME OLD NEW")
    parser.add_argument("--dialect", default="tf_keras")
    chosen = parser.parse_args(arguments)
    names = chosen.names or sorted(path.stem for path in chosen.folder.glob("*.py"))

    print(line(HEADER), line(["---"] * len(HEADER)), sep="\n", flush=True)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            script = edited(chosen.folder / f"{name}.py", chosen.edit, Path(folder))
            cells = verified(script, chosen.dialect, options, Path(folder))
            bad += cells[1] != "0"
            print(line(cells), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
