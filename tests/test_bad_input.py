"""Bad input: one clear line with a code, nothing written, and the other files still done."""

import os
import re
import subprocess
import sys

import pytest

from k2t.__main__ import main

pytestmark = pytest.mark.quick

GOOD = """\
import keras

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
"""
LINE = re.compile(
    r"^(?P<path>.+):(?P<line>\d+):(?P<column>\d+): (?P<code>K2T\d{3}) (?P<message>.+)$"
)

UNREADABLE = {
    "syntax error": (b"import keras\n\nx = (1,\n", "K2T991", 3),
    "unexpected indent": (b"import keras\n  x = 1\n", "K2T991", 2),
    "print statement": (b"import keras\nprint 'accuracy'\n", "K2T991", 2),
    "python 2 except": (b"import keras\ntry:\n    pass\nexcept E, e:\n    pass\n", "K2T991", 4),
    "backticks": (b"import keras\nx = `1`\n", "K2T991", 2),
    "octal": (b"import keras\nos.chmod('a', 0644)\n", "K2T991", 2),
    "latin-1 without saying so": ("import keras  # Größe\n".encode("latin-1"), "K2T991", 1),
    "unknown encoding": (b"# -*- coding: klingon -*-\nimport keras\n", "K2T991", 1),
    "utf-16": ("import keras\n".encode("utf-16"), "K2T991", 1),
    "null bytes": (b"import keras\n\0\0\0", "K2T991", 1),
    "nested too deeply": (b"import keras\nx = " + b"(" * 400 + b")" * 400 + b"\n", "K2T991", 2),
    "notebook": (b'{"cells": [{"source": ["import keras\\n"]}], "nbformat": null}{', "K2T991", 1),
}

NOTHING_TO_DO = {
    "empty": b"",
    "blank": b"\n\n",
    "no final line end": b"x = 1",
    "no keras": b"import numpy as np\n",
    "keras in a comment": b"# as in keras\nx = 1\n",
    "keras in a string": b'name = "tensorflow"\n',
    "byte order mark": b"\xef\xbb\xbfx = 1  # not keras\n",
    "python 2 without keras": b"print 'hello'\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["migrate", "check"])
@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable(folder, capsys, command, case):
    data, code, line = UNREADABLE[case]
    (folder / "train.py").write_bytes(data)
    assert main([command, "train.py"]) == 2
    out, err = capsys.readouterr()
    (said,) = out.splitlines()
    match = LINE.match(said)
    assert match
    assert (match["path"], match["code"]) == ("train.py", code)
    assert int(match["line"]) == line
    assert match["message"].startswith("error: ")
    assert err == "1 file failed\n"
    assert os.listdir(folder) == ["train.py"]
    assert (folder / "train.py").read_bytes() == data


def test_python_2_is_called_by_its_name(folder, capsys):
    (folder / "train.py").write_bytes(UNREADABLE["print statement"][0])
    main(["migrate", "train.py"])
    assert "Python 2" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["migrate", "check"])
@pytest.mark.parametrize("case", NOTHING_TO_DO)
def test_nothing_to_do(folder, capsys, command, case):
    (folder / "train.py").write_bytes(NOTHING_TO_DO[case])
    assert main([command, "train.py"]) == 0
    assert capsys.readouterr() == ("", "1 file not Keras\n")
    assert os.listdir(folder) == ["train.py"]


@pytest.mark.parametrize("command", ["migrate", "check"])
def test_missing_file(capsys, command):
    assert main([command, "missing.py"]) == 2
    out, _ = capsys.readouterr()
    assert out == "missing.py:1:1: K2T990 error: cannot be read: No such file or directory\n"


def test_link_to_nowhere(folder, capsys):
    (folder / "train.py").symlink_to("nowhere")
    assert main(["migrate", "train.py"]) == 2
    assert "K2T990" in capsys.readouterr().out


def test_folder_without_scripts(folder, capsys):
    (folder / "empty").mkdir()
    assert main(["migrate", "empty"]) == 0
    assert capsys.readouterr() == ("", "no Python files\n")


@pytest.mark.parametrize("order", [1, -1])
def test_one_bad_file_does_not_stop_the_others(folder, capsys, order):
    (folder / "bad.py").write_bytes(UNREADABLE["syntax error"][0])
    (folder / "good.py").write_text(GOOD)
    assert main(["migrate", *["bad.py", "missing.py", "good.py"][::order]]) == 2
    out, err = capsys.readouterr()
    assert {line.split(":")[0] for line in out.splitlines() if "error: " in line} == {
        "bad.py",
        "missing.py",
    }
    assert err == "1 file migrated, 2 failed\n"
    assert "import keras" not in (folder / "good_lightning.py").read_text()


def test_a_fault_of_k2t_is_one_line(folder, capsys, monkeypatch):
    from k2t import pipeline

    real = pipeline.migrate

    def fails_on_bad(data, path, **options):
        if path == "bad.py":
            raise KeyError("two\nlines")
        return real(data, path, **options)

    monkeypatch.setattr(pipeline, "migrate", fails_on_bad)
    for name in ("bad.py", "good.py"):
        (folder / name).write_text(GOOD)
    assert main(["migrate", "bad.py", "good.py"]) == 2
    out, err = capsys.readouterr()
    (said,) = [line for line in out.splitlines() if line.startswith("bad.py")]
    assert said.startswith("bad.py:1:1: K2T999 error: internal error: KeyError: ")
    assert said.endswith("please report")
    assert "Traceback" not in out + err
    assert (folder / "good_lightning.py").exists()
    assert not (folder / "bad_lightning.py").exists()


def test_the_traceback_is_there_for_those_who_ask(folder, capsys, monkeypatch):
    from k2t import pipeline

    monkeypatch.setenv("K2T_DEBUG", "1")
    monkeypatch.setattr(pipeline, "check", lambda *a, **k: 1 // 0)
    (folder / "train.py").write_text(GOOD)
    assert main(["check", "train.py"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_file_names_that_no_encoding_fits(folder):
    name = os.fsdecode(b"tr\xffin.py")
    (folder / name).write_bytes(UNREADABLE["syntax error"][0])
    done = subprocess.run(
        [sys.executable, "-m", "k2t", "migrate", name, "--report", "report.json"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"K2T991" in done.stdout
    assert b"Traceback" not in done.stderr


def test_a_reader_that_leaves_early(folder):
    for i in range(50):
        (folder / f"{i}.py").write_bytes(UNREADABLE["syntax error"][0])
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "k2t", "check", "."],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert b"Traceback" not in done.stderr
