"""The door: modules are counted, not milliseconds."""

import json
import subprocess
import sys

import pytest

from k2t import cli
from k2t.__main__ import count_unrelated, main

pytestmark = pytest.mark.quick

PLAIN = "import json\n\nprint(json.dumps({}))\n"
KERAS = "import keras\n"

# all that may be loaded for files that do not mention Keras, beyond a bare interpreter's own
FILE_MODULES = {"k2t", "k2t.__main__"}
FOLDER_MODULES = FILE_MODULES | {"k2t.walk"}

PROBE = """
import sys
before = set(sys.modules)
from k2t.__main__ import main
status = main(sys.argv[1:])
added = sorted(set(sys.modules) - before)
import json
print(json.dumps([status, added]))
"""


def run(*argv):
    """Exit status and the modules that were loaded for it, in a process of its own."""
    command = [sys.executable, "-c", PROBE, *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, added = json.loads(done.stdout.splitlines()[-1])
    return status, set(added), done.stderr


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.py"
    path.write_text(PLAIN)
    return path


@pytest.mark.parametrize("command", [["check"], ["migrate"], ["migrate", "--in-place"]])
def test_unrelated_files_cost_no_import(plain, command):
    other = plain.with_name("other.py")
    other.write_bytes("# Größe\n".encode("latin-1"))
    status, added, said = run(*command, plain, other)
    assert status == 0
    assert added <= FILE_MODULES
    assert said == "2 files not Keras\n"
    assert plain.read_text() == PLAIN


def test_unrelated_folders_cost_no_more_than_walking(plain):
    status, added, _ = run("check", plain.parent)
    assert status == 0
    assert added <= FOLDER_MODULES


def test_one_mention_opens_the_door(plain):
    (plain.with_name("train.py")).write_text(KERAS)
    _, added, _ = run("check", plain, plain.with_name("train.py"))
    assert "k2t.pipeline" in added


def test_check_needs_no_renderer(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import keras\n\nmodel = keras.Sequential([keras.layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\nmodel.fit([[0.0]], [[0.0]])\n"
    )
    status, added, _ = run("check", script)
    assert status == 1
    assert not {"jinja2", "black", "click", "tomllib"} & added


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--version"],
        ["rules"],
        ["check"],
        ["check", "-"],
        ["check", "missing.py"],
        ["migrate", "plain.py", "--report", "out.json"],
        ["migrate", "plain.py", "--nonsense"],
    ],
)
def test_everything_else_is_for_the_command_line(plain, argv, monkeypatch):
    monkeypatch.chdir(plain.parent)
    assert count_unrelated(argv) == 0


@pytest.mark.parametrize("text", [KERAS, "from tensorflow import keras\n", "k\0e\0r\0a\0s\0"])
def test_what_may_be_keras_is_for_the_command_line(plain, text):
    plain.write_text(text)
    assert count_unrelated(["check", str(plain)]) == 0


@pytest.mark.parametrize("count", [1, 2])
def test_the_door_and_the_command_line_say_the_same(tmp_path, capsys, count):
    for i in range(count):
        (tmp_path / f"{i}.py").write_text(PLAIN)
    said = []
    for run_ in (main, cli.main):
        assert run_(["check", str(tmp_path)]) == 0
        said.append(capsys.readouterr())
    assert said[0] == said[1]
