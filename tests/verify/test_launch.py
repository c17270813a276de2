"""Children that are forked from a process with the framework imported are as good as fresh ones."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from k2t.verify import launch
from k2t.verify.launch import afresh, nurseries

pytestmark = pytest.mark.quick

CHILD = """
import os, sys, json
print("said before the end", file=sys.stderr)
facts = {"argv": sys.argv[1:], "cwd": os.getcwd(), "name": __name__, "group": os.getpgrp(),
         "pid": os.getpid(), "told": os.environ.get("SCRIPT"),
         "imported": "colorsys" in sys.modules}
json.dump(facts, open("facts.json", "w"))
if sys.argv[1] == "sleep":
    import time; time.sleep(60)
if sys.argv[1] == "raise":
    raise ValueError("as asked")
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
sys.exit({"text": "a text"}.get(sys.argv[1], 7))
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    (tmp_path / "k2t_test_child.py").write_text(CHILD)
    monkeypatch.setattr(launch, "FRAMEWORKS", {"k2t_test_child": ("colorsys", "not_installed")})
    path = os.pathsep.join(p for p in (str(tmp_path), os.environ.get("PYTHONPATH", "")) if p)
    return {**os.environ, "PYTHONPATH": path}


def started(way, tmp_path, environment, *arguments):
    return way("k2t_test_child", arguments, tmp_path, environment, tmp_path / "log")


@pytest.fixture(params=["afresh", "forked"])
def way(request):
    if request.param == "afresh":
        yield afresh
    else:
        with nurseries() as forked:
            yield forked


@pytest.mark.parametrize(
    ("asked", "code", "last"),
    [
        ("number", 7, "said before the end"),
        ("text", 1, "a text"),
        ("raise", 1, "ValueError: as asked"),
        ("kill", -9, "said before the end"),
    ],
)
def test_how_a_child_ends(asked, code, last, way, tmp_path, environment):
    process = started(way, tmp_path, environment, asked, "two words")
    assert process.wait(30) == code
    assert (tmp_path / "log").read_text().splitlines()[-1] == last
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["argv"] == [asked, "two words"]
    assert (facts["cwd"], facts["name"]) == (str(tmp_path), "__main__")
    assert facts["group"] == facts["pid"] == process.pid
    assert facts["imported"] == (way is not afresh)


def test_a_child_that_takes_too_long_can_be_ended(way, tmp_path, environment):
    process = started(way, tmp_path, environment, "sleep")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(30) == -9


def test_children_do_not_wait_for_each_other(tmp_path, environment):
    with nurseries() as forked:
        slow = started(forked, tmp_path, environment, "sleep")
        assert started(forked, tmp_path, environment, "number").wait(30) == 7
        os.killpg(slow.pid, signal.SIGKILL)
        assert slow.wait(30) == -9


@pytest.mark.parametrize(("name", "servers"), [("TF_ENABLE_ONEDNN_OPTS", 2), ("SCRIPT", 1)])
def test_a_framework_is_imported_once_for_what_it_reads(name, servers, tmp_path, environment):
    with nurseries() as forked:
        found = set()
        for value in ("1", "2"):
            process = started(forked, tmp_path, {**environment, name: value}, "number")
            process.wait(30)
            found.add(process.nursery.server.pid)
            told = json.loads((tmp_path / "facts.json").read_text())["told"]
            assert told == (value if name == "SCRIPT" else None)
    assert len(found) == servers


def test_no_process_is_left(tmp_path, environment):
    with nurseries() as forked:
        process = started(forked, tmp_path, environment, "number")
        process.wait(30)
        server = process.nursery.server
    assert server.returncode == 0


def test_a_server_that_dies_is_an_error(tmp_path, environment):
    with nurseries() as forked:
        process = started(forked, tmp_path, environment, "number")
        process.wait(30)
        process.nursery.server.kill()
        process.nursery.server.wait()
        time.sleep(0.1)
        with pytest.raises(OSError, match=r"died|pipe"):
            started(forked, tmp_path, environment, "number")


@pytest.mark.skipif(sys.platform == "win32", reason="os.fork")
def test_where_nothing_can_be_forked_children_are_fresh(tmp_path, environment, monkeypatch):
    monkeypatch.delattr(os, "fork")
    with nurseries() as forked:
        assert isinstance(started(forked, tmp_path, environment, "number"), subprocess.Popen)
