"""The command line: where output goes, what is said, and the exit status."""

import io
import json
import os
import re
import stat
import subprocess
import sys

import pytest

from k2t import cli, pipeline
from k2t.__main__ import main
from k2t.ir.finding import Finding, Severity
from k2t.ir.source import Source, Span
from k2t.parse.script import line_starts
from k2t.report import outcome as report
from k2t.report import text
from k2t.settings import configured, line_length
from k2t.version import __version__
from k2t.walk import walk

pytestmark = pytest.mark.quick

KERAS = """\
import numpy as np
import keras

x, y = np.random.rand(64, 4), np.random.rand(64, 1)  # Größe
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y, epochs=2)
"""
PLAIN = "print('no deep learning here')\n"
LINE = re.compile(r"^[^:]+:\d+:\d+: K2T\d{3} \S")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with one Keras script."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(KERAS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def says(monkeypatch):
    """Makes the pipeline report given severities at the first mention of keras."""

    def install(*severities):
        def migrate(data, path, **options):
            decoded = data.decode()
            source = Source(path, decoded, line_starts(decoded), ())
            span = Span(decoded.index("keras"), decoded.index("keras") + 5)
            findings = tuple(Finding("K2T901", s, f"a {s} message", span) for s in severities)
            return pipeline.Migration("done = 1\n", findings, "keras3", source, "utf-8", "\n")

        monkeypatch.setattr(pipeline, "migrate", migrate)

    return install


def python(*argv, **options):
    command = [sys.executable, "-m", "k2t", *argv]
    return subprocess.run(command, capture_output=True, check=False, **options)


def listing(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def stamp(path):
    """What changes when a file is written, even with the same bytes."""
    return path.stat().st_ino, path.stat().st_mtime_ns


# where the output goes


def test_beside_the_script(folder):
    assert main(["migrate", "train.py"]) == 0
    assert listing(folder) == ["train.py", "train_lightning.py"]
    assert (folder / "train.py").read_text(encoding="utf-8") == KERAS
    migrated = (folder / "train_lightning.py").read_text(encoding="utf-8")
    assert "import lightning" in migrated
    assert "keras" not in migrated


def test_to_a_file(folder):
    assert main(["migrate", "train.py", "-o", "other.py"]) == 0
    assert listing(folder) == ["other.py", "train.py"]


def test_to_a_folder_with_the_structure_kept(folder):
    for name in ("a/train.py", "a/b/train.py", "a/plain.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(PLAIN if "plain" in name else KERAS, encoding="utf-8")
    assert main(["migrate", "a", "train.py", "-o", "out"]) == 2  # two outputs of one name
    assert listing(folder / "out") == ["b/train_lightning.py", "train_lightning.py"]
    assert main(["migrate", "a", "-o", "out", "--force"]) == 0


def test_to_an_existing_folder(folder):
    (folder / "out").mkdir()
    assert main(["migrate", "train.py", "-o", "out"]) == 0
    assert listing(folder / "out") == ["train_lightning.py"]


def test_existing_output_is_kept_without_force(folder, capsys):
    (folder / "train_lightning.py").write_text("mine\n")
    assert main(["migrate", "train.py"]) == 2
    assert "K2T992" in capsys.readouterr().out
    assert (folder / "train_lightning.py").read_text() == "mine\n"
    assert main(["migrate", "train.py", "--force"]) == 0
    assert "import lightning" in (folder / "train_lightning.py").read_text(encoding="utf-8")


def test_the_script_itself_is_changed_only_on_request(folder, capsys):
    assert main(["migrate", "train.py", "-o", "./train.py", "--force"]) == 2
    assert "--in-place" in capsys.readouterr().out
    assert (folder / "train.py").read_text(encoding="utf-8") == KERAS
    assert main(["migrate", "train.py", "--in-place"]) == 0
    assert "import lightning" in (folder / "train.py").read_text(encoding="utf-8")
    assert listing(folder) == ["train.py"]


@pytest.mark.parametrize("options", [[], ["--in-place"]])
def test_mode_bits_are_kept(folder, options):
    (folder / "train.py").chmod(0o750)
    assert main(["migrate", "train.py", *options]) == 0
    for path in folder.glob("*.py"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_a_link_stays_a_link(folder):
    (folder / "link.py").symlink_to("train.py")
    assert main(["migrate", "link.py", "--in-place"]) == 0
    assert (folder / "link.py").is_symlink()
    assert "import lightning" in (folder / "train.py").read_text(encoding="utf-8")


def test_written_whole_or_not_at_all(folder, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert main(["migrate", "train.py"]) == 2
    assert "K2T992 error: the output cannot be written: No space" in capsys.readouterr().out
    assert listing(folder) == ["train.py"]


def test_no_folder_is_made_for_a_single_output(folder, capsys):
    assert main(["migrate", "train.py", "-o", "missing/out.py"]) == 2
    assert "K2T992" in capsys.readouterr().out
    assert listing(folder) == ["train.py"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encoding_and_line_ends_are_kept(folder, encoding, end):
    cookie = "# -*- coding: latin-1 -*-\n" if encoding == "latin-1" else ""
    data = (cookie + KERAS).replace("\n", end).encode(encoding)
    (folder / "train.py").write_bytes(data)
    assert main(["migrate", "train.py"]) == 0
    migrated = (folder / "train_lightning.py").read_bytes()
    assert "# Größe" in migrated.decode(encoding)
    assert migrated.count(b"\n") == migrated.count(end.encode())
    assert migrated.startswith(data[:3])


# nothing to do


@pytest.mark.parametrize("options", [[], ["--in-place"], ["--force"], ["-o", "out.py"]])
def test_a_script_without_keras_is_left_alone(folder, options):
    (folder / "train.py").write_text(PLAIN)
    before = stamp(folder / "train.py")
    assert main(["migrate", "train.py", *options]) == 0
    assert listing(folder) == ["train.py"]
    assert stamp(folder / "train.py") == before


def test_a_migrated_script_is_left_alone(folder, capsys):
    assert main(["migrate", "train.py", "--in-place"]) == 0
    migrated = (folder / "train.py").read_bytes()
    before = stamp(folder / "train.py")
    capsys.readouterr()
    assert main(["migrate", "train.py", "--in-place"]) == 0
    assert capsys.readouterr() == ("", "1 file not Keras\n")
    assert (folder / "train.py").read_bytes() == migrated
    assert stamp(folder / "train.py") == before


# stdin, diff


def test_a_filter(folder):
    assert main(["migrate", "train.py"]) == 0
    done = python("migrate", "-", input=KERAS.encode())
    assert done.returncode == 0
    assert done.stdout == (folder / "train_lightning.py").read_bytes()
    assert done.stderr.endswith(b"1 file migrated\n")


def test_a_filter_hands_on_what_it_does_not_change(folder):
    done = python("migrate", "-", input=PLAIN.encode())
    assert (done.returncode, done.stdout) == (0, PLAIN.encode())


def test_a_filter_of_bad_input_is_silent_on_stdout():
    done = python("migrate", "-", input=b"import keras\nprint 'x'\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"<stdin>:2:1: K2T991 error: ")


def test_stdin_to_a_file(folder):
    done = python("migrate", "-", "-o", "out.py", input=KERAS.encode())
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"import lightning" in (folder / "out.py").read_bytes()


def test_a_script_to_stdout(folder):
    done = python("migrate", "train.py", "-o", "-")
    assert done.returncode == 0
    assert b"import lightning" in done.stdout
    assert listing(folder) == ["train.py"]


def test_several_scripts_do_not_go_to_stdout(folder):
    (folder / "other.py").write_text(KERAS)
    done = python("migrate", "train.py", "other.py", "-o", "-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"stdout (-o -) takes one script" in done.stderr


def test_check_of_stdin():
    done = python("check", "-", input=KERAS.encode())
    assert done.returncode == 1
    assert done.stdout.startswith(b"<stdin>:")


def test_diff_writes_nothing_and_applies(folder):
    done = python("migrate", "--diff", "train.py")
    assert done.returncode == 0
    assert listing(folder) == ["train.py"]
    assert done.stdout.startswith(b"--- train.py\n+++ train_lightning.py\n")
    assert main(["migrate", "train.py"]) == 0
    subprocess.run(["git", "init", "-q"], check=True)
    applied = done.stdout.replace(b"+++ train_lightning.py", b"+++ train.py")
    subprocess.run(["git", "apply", "-p0", "-"], input=applied, check=True)
    assert (folder / "train.py").read_bytes() == (folder / "train_lightning.py").read_bytes()


# what is said


def test_findings_have_the_form_editors_click_on(says, capsys):
    says(Severity.ERROR, Severity.INFO, Severity.WARNING)
    assert main(["migrate", "train.py"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "train.py:2:8: K2T901 error: a error message",
        "train.py:2:8: K2T901 a info message",
        "train.py:2:8: K2T901 warning: a warning message",
    ]
    assert err == "1 file left to you\n"


def test_findings_go_to_stderr_when_the_script_goes_to_stdout(says, capfd, monkeypatch):
    says(Severity.WARNING)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(KERAS.encode())))
    assert main(["migrate", "-"]) == 0
    out, err = capfd.readouterr()
    assert out == "done = 1\n"
    assert err.startswith("<stdin>:2:8: K2T901 warning: ")


@pytest.mark.parametrize(
    ("severities", "status"),
    [([], 0), ([Severity.INFO], 0), ([Severity.WARNING], 0), ([Severity.ERROR], 1)],
)
def test_only_what_is_left_to_a_human_fails(says, folder, severities, status):
    says(*severities)
    assert main(["migrate", "train.py"]) == status
    assert (folder / "train_lightning.py").read_text() == "done = 1\n"


def test_the_worst_status_wins(says, folder):
    says(Severity.ERROR)
    (folder / "plain.py").write_text(PLAIN)
    assert main(["migrate", "train.py", "plain.py"]) == 1
    assert main(["migrate", "train.py", "missing.py", "--force"]) == 2


def test_check(folder, capsys):
    (folder / "plain.py").write_text(PLAIN)
    assert main(["check", "."]) == 1
    out, err = capsys.readouterr()
    assert out
    assert all(LINE.match(line) and line.startswith("train.py:") for line in out.splitlines())
    assert err == "1 file with Keras training code, 1 not Keras\n"
    assert listing(folder) == ["plain.py", "train.py"]


def test_report(says, folder):
    says(Severity.WARNING)
    (folder / "plain.py").write_text(PLAIN)
    assert main(["migrate", "plain.py", "train.py", "missing.py", "--report", "r.json"]) == 2
    document = json.loads((folder / "r.json").read_text())
    assert (document["tool"], document["version"]) == ("k2t", __version__)
    plain, train, missing = document["files"]
    assert plain == {
        "path": "plain.py",
        "output": None,
        "dialect": None,
        "status": "untouched",
        "findings": [],
    }
    assert train == {
        "path": "train.py",
        "output": "train_lightning.py",
        "dialect": "keras3",
        "status": "migrated",
        "findings": [
            {
                "code": "K2T901",
                "severity": "warning",
                "message": "a warning message",
                "line": 2,
                "column": 8,
                "end_line": 2,
                "end_column": 13,
            }
        ],
    }
    assert missing["status"] == "failed"
    assert missing["findings"][0]["code"] == "K2T990"


def test_a_report_that_cannot_be_written(capsys):
    assert main(["check", "train.py", "--report", "missing/r.json"]) == 2
    assert "missing/r.json cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (
            ["migrated"] * 3 + ["left"] + ["untouched"] * 2,
            "3 files migrated, 1 left to you, 2 not Keras",
        ),
        (["migrated"], "1 file migrated"),
        (["failed", "found"], "1 file with Keras training code, 1 failed"),
        ([], "no Python files"),
    ],
)
def test_closing_line(statuses, expected):
    outcomes = [report.Outcome("x.py", report.Status(status)) for status in statuses]
    assert text.summary(outcomes) == expected


# usage


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["migrate"],
        ["nonsense"],
        ["migrate", "train.py", "--dialect", "theano"],
        ["migrate", "train.py", "--fidelity", "perfect"],
        ["migrate", "train.py", "--in-place", "-o", "x.py"],
        ["migrate", "-", "--in-place"],
        ["migrate", "-", "train.py"],
        ["migrate", ".", "-o", "train.py"],
        ["migrate", "-", "-o", "."],
        ["check", "train.py", "--in-place"],
    ],
)
def test_bad_usage(argv, capsys, folder):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err
    assert listing(folder) == ["train.py"]


def test_version():
    done = python("--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"k2t {__version__}\n")


def test_explain_prints_the_page(folder, capsys, monkeypatch):
    monkeypatch.setattr("k2t.resources.folder", lambda name: folder)
    (folder / "K2T101.md").write_text("# K2T101\n\nWhy.\n")
    assert main(["explain", "k2t101"]) == 0
    assert capsys.readouterr().out == "# K2T101\n\nWhy.\n"
    assert main(["explain", "K2T000"]) == 2
    assert "K2T000" in capsys.readouterr().err


def test_rules_lists_the_rows(capsys):
    assert main(["rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["layers", "Dense", "keras.layers.Dense"] for line in lines)


def test_options_reach_the_pipeline(monkeypatch):
    seen = {}

    def migrate(data, path, **options):
        seen.update(options)
        return pipeline.Migration(None, (), "keras2", Source(path, "", (0,), ()), "utf-8", "\n")

    monkeypatch.setattr(pipeline, "migrate", migrate)
    assert main(["migrate", "train.py", "--dialect", "keras2", "--fidelity", "plain"]) == 0
    assert seen == {"dialect": "keras2", "fidelity": "plain", "line_length": 88}


# the user's settings, and folders


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", 88),
        ("[tool.black]\nline-length = 100\n", 100),
        ("[tool.black]\nline_length = 101\n[tool.ruff]\nline-length = 79\n", 101),
        ("[tool.black]\nskip-magic-trailing-comma = true\n[tool.ruff]\nline-length = 79\n", 79),
        ("[tool.black]\nline-length = 'wide'\n", 88),
        ("[tool.black\n", 88),
        ("tool = 1\n", 88),
    ],
)
def test_line_length(folder, settings, expected):
    configured.cache_clear()
    (folder / "pyproject.toml").write_text(settings)
    (folder / "src").mkdir()
    assert line_length("src/train.py") == expected


def test_the_nearest_settings_count(folder):
    configured.cache_clear()
    (folder / "src").mkdir()
    (folder / "pyproject.toml").write_text("[tool.black]\nline-length = 100\n")
    (folder / "src" / "pyproject.toml").write_text("[tool.black]\nline-length = 60\n")
    assert line_length("src/train.py") == 60
    assert line_length("train.py") == 100


def test_walking(folder):
    kept = ["a/b.py", "a/train.py", "train.py"]
    skipped = [
        ".hidden/x.py",
        ".x.py",
        "__pycache__/x.py",
        "a/notes.txt",
        "env/lib/x.py",
        "env/pyvenv.cfg",
        "node_modules/x.py",
        "train_lightning.py",
    ]
    for name in kept + skipped:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(KERAS, encoding="utf-8")
    assert walk(".") == kept


def test_a_file_is_done_once(folder, capsys):
    assert main(["migrate", "train.py", ".", "./train.py"]) == 0
    assert capsys.readouterr().err == "1 file migrated\n"


def test_help_names_the_exit_status():
    assert "exit status" in cli.make_parser().format_help()
