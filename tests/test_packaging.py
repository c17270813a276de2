"""What is built and installed: the wheel works without the checkout; the pins are pins."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from k2t.cli import make_parser
from k2t.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPT = ROOT / "golden" / "forum_cnn" / "before.py"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == f"k2t-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def k2t(*argv, path, cwd):
    return subprocess.run(
        [sys.executable, "-m", "k2t", *map(str, argv)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_code_and_data_and_nothing_else(installed):
    names = {p.relative_to(installed).as_posix() for p in installed.rglob("*") if p.is_file()}
    assert {name.split("/")[0] for name in names} == {"k2t", f"k2t-{__version__}.dist-info"}
    expected = {"k2t/_table.json", "k2t/_data/golden/forum_cnn/before.py"}
    expected |= {f"k2t/_data/rules/{p.name}" for p in (ROOT / "rules").iterdir()}
    expected |= {
        p.relative_to(ROOT).as_posix()
        for p in (ROOT / "k2t").rglob("*")
        if p.suffix in (".py", ".j2")
    }
    assert expected <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_works_without_the_checkout(installed, tmp_path):
    done = k2t("migrate", SCRIPT, "-o", "installed.py", path=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = k2t("migrate", SCRIPT, "-o", "checkout.py", path=ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "installed.py").read_text() == (tmp_path / "checkout.py").read_text()


def test_the_wheel_brings_its_data(installed, tmp_path):
    where = "import k2t.resources as r; print(r.folder('rules')); print(r.folder('golden'))"
    done = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    data = installed / "k2t" / "_data"
    assert done.stdout.splitlines() == [str(data / "rules"), str(data / "golden")]


@pytest.mark.quick
def test_few_dependencies():
    names = {re.split(r"[<>=]", item)[0] for item in PROJECT["dependencies"]}
    assert names == {"jinja2", "black"}


@pytest.mark.quick
@pytest.mark.parametrize("extra", ["verify", "test"])
def test_extras_are_pinned(extra):
    loose = [item for item in PROJECT["optional-dependencies"][extra] if "==" not in item]
    assert loose == (["k2t[verify]"] if extra == "test" else [])


@pytest.mark.quick
def test_the_data_of_a_checkout_is_at_its_root():
    from k2t.resources import folder

    assert folder("rules") == ROOT / "rules"
    assert folder("golden") == ROOT / "golden"


@pytest.mark.quick
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b.py:3:7: K2T301 warning: x: y", ("a b.py", "3", "7", "K2T301", "warning", "x: y")),
        ("/a.py:1:1: K2T610 same seed", ("/a.py", "1", "1", "K2T610", None, "same seed")),
        ("1 file migrated", None),
    ],
)
def test_the_problem_matcher_of_the_readme_reads_findings(line, expected):
    (block,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    (task,) = json.loads(block)["tasks"]
    pattern = task["problemMatcher"]["pattern"]
    match = re.match(pattern["regexp"], line)
    parts = ("file", "line", "column", "code", "severity", "message")
    assert (match and tuple(match[pattern[part]] for part in parts)) == expected


@pytest.mark.quick
def test_the_hooks_run_commands_that_exist():
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = [line.split(": ", 1)[1].split() for line in hooks.splitlines() if "entry:" in line]
    assert [entry[:2] for entry in entries] == [["k2t", "check"], ["k2t", "migrate"]]
    for entry in entries:
        make_parser().parse_args([*entry[1:], "train.py"])
