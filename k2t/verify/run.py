"""Runs the two probes in child processes and puts their recordings side by side."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from k2t.verify.compare import LIMITS, Limits, Report, Verdict, compare, verdict, worst
from k2t.verify.recording import Recording, load

Edits = Sequence[tuple[str, str]]

QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "MPLBACKEND": "Agg",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


# the second is what another order of summation does to the output of a convolution
CONTROLS = (1e-7, 1e-6)


class ProbeFailed(RuntimeError):
    """A script did not run to its end; the message holds the last lines of its stderr."""


@dataclass(frozen=True)
class Comparison:
    """The recordings of one pair of scripts, their report, the control's, and the verdict."""

    keras: Recording
    torch: Recording
    report: Report
    control: Report | None
    verdict: Verdict


@dataclass(frozen=True)
class Setting:
    """How children are run, the same for both scripts of a pair.

    stubs: Python files whose `install_keras(keras)` or `install_torch()` runs before the script.
    edits: (old, new) texts replaced in the script. draws: how often initial values are drawn,
    0 for not at all. timeout: seconds a child. env: added to the environment. cache: a folder that
    keeps recordings by the content of all that goes in (but not of this package).
    """

    engine: str = "keras3"
    stubs: tuple[Path, ...] = ()
    edits: Edits = ()
    draws: int = 0
    timeout: float = 300
    gpu: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None


DEFAULT = Setting()


def record_keras(script: Path, setting: Setting = DEFAULT) -> Recording:
    """Runs a Keras script and returns what it recorded. Raises ProbeFailed."""
    return _record("keras_probe", script, setting, ["--engine", setting.engine], None)


def record_torch(
    script: Path,
    setting: Setting = DEFAULT,
    *,
    weights_from: Recording | None,
    disturb: float = 0.0,
) -> Recording:
    """Runs a Lightning script from the initial weights of a Keras recording (None: from its own).

    disturb: multiply every initial parameter by 1 +- this. Raises ProbeFailed.
    """
    return _record("torch_probe", script, setting, ["--disturb", str(disturb)], weights_from)


def run_pair(
    before: Path,
    after: Path,
    setting: Setting = DEFAULT,
    *,
    edits_before: Edits = (),
    edits_after: Edits = (),
    controls: Sequence[float] = CONTROLS,
    limits: Limits = LIMITS,
) -> Comparison:
    """Runs a Keras script and its port from the same weights on the same batches and compares them.

    setting.edits are made in both scripts ("60000" by "256"), each must occur in at least one;
    edits_before and edits_after in one script only, where each must occur. controls: sizes of the
    disturbances the port is run with again, to see how fast it leaves itself. Raises ProbeFailed,
    and ValueError for an edit that changes nothing.
    """
    texts = [before.read_text(encoding="utf-8"), after.read_text(encoding="utf-8")]
    wanted = [(old, texts) for old, _ in setting.edits]
    wanted += [(old, texts[:1]) for old, _ in edits_before]
    wanted += [(old, texts[1:]) for old, _ in edits_after]
    for old, where in wanted:
        if not any(old in text for text in where):
            raise ValueError(f"the text to replace does not occur: {old!r}")
    keras = record_keras(before, replace(setting, edits=(*setting.edits, *edits_before)))
    port = replace(setting, edits=(*setting.edits, *edits_after))
    torch = record_torch(after, port, weights_from=keras)
    again = [
        compare(
            torch, record_torch(after, replace(port, draws=0), weights_from=keras, disturb=size)
        )
        for size in controls
    ]
    report, control = compare(keras, torch), worst(again) if again else None
    return Comparison(keras, torch, report, control, verdict(report, control, limits))


def _record(
    probe: str, script: Path, setting: Setting, options: list[str], weights: Recording | None
) -> Recording:
    text = script.read_text(encoding="utf-8")
    for old, new in setting.edits:
        text = text.replace(old, new)
    start = pickle.dumps(weights)
    key = _key(probe, text, script.parent, setting, options, start)
    if setting.cache is not None and (setting.cache / key).exists():
        return load(setting.cache / key)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cwd").mkdir()
        (folder / script.name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", f"k2t.verify.{probe}"]
        command += [str(folder / script.name), str(folder / "out"), *options]
        command += ["--beside", str(script.resolve().parent), "--draws", str(setting.draws)]
        for stub in setting.stubs:
            command += ["--stubs", str(stub.resolve())]
        if weights is not None:
            (folder / "weights").write_bytes(start)
            command += ["--weights", str(folder / "weights")]
        _run(command, folder, setting, script)
        recording = load(folder / "out")
    if setting.cache is not None:
        setting.cache.mkdir(parents=True, exist_ok=True)
        recording.save(setting.cache / key)
    return recording


def _key(
    probe: str, text: str, parent: Path, setting: Setting, options: list[str], start: bytes
) -> str:
    stubs = [stub.read_text(encoding="utf-8") for stub in setting.stubs]
    rest = [str(parent.resolve()), setting.draws, setting.gpu, sorted(setting.env.items()), options]
    return hashlib.sha256(repr([probe, text, stubs, rest]).encode() + start).hexdigest()


def _environment(setting: Setting) -> dict[str, str]:
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(p for p in (home, os.environ.get("PYTHONPATH", "")) if p)
    hidden = {} if setting.gpu else {"CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **QUIET, **hidden, "PYTHONPATH": path, **setting.env}


def _run(command: list[str], folder: Path, setting: Setting, script: Path) -> None:
    """Runs a probe to its end, with all it started. Raises ProbeFailed."""
    log = folder / "log"
    with open(log, "wb") as stderr:
        child = subprocess.Popen(
            command,
            cwd=folder / "cwd",
            env=_environment(setting),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = child.wait(setting.timeout)
            problem = f"ended with exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            problem = f"ran longer than {setting.timeout:g} s"
        finally:
            _end(child)
    if problem:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise ProbeFailed(f"{script} {problem}:\n" + "\n".join(lines[-25:]))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and the processes it left behind (workers of data loaders)."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()
