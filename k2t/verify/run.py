"""Runs the two probes in child processes and puts their recordings side by side."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from k2t.verify.compare import Report, compare, worst
from k2t.verify.judge import LIMITS, Limits, Verdict, verdict
from k2t.verify.launch import Launch, Process, afresh
from k2t.verify.probes.engines import TF_KERAS
from k2t.verify.recording import Recording, beginning, load
from k2t.verify.surroundings import lay_out

Edits = Sequence[tuple[str, str]]
Tell = Callable[[str, int], None]
TICK = 0.2  # seconds between looks at a child
WORKERS = 2  # children at a time: each is mostly one thread
ROOM = 3  # of two ports, for what Keras takes: a port may take half as much again

QUIET = {
    "OMP_NUM_THREADS": "1",
    "TORCH_COMPILE_DISABLE": "1",  # it changes no number, and takes longer than a small script
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


KILLED = "was killed: it ran out of memory"


class ProbeFailed(RuntimeError):
    """A script did not run to its end; the message holds the last lines of its stderr.

    side: "Keras" or "port". problem: how it ended. log: the last lines of its stderr.
    """

    def __init__(self, side: str, script: Path, problem: str, log: list[str]) -> None:
        super().__init__(f"{script} {problem}:\n" + "\n".join(log))
        self.side, self.script, self.problem, self.log = side, script, problem, log


def silent(title: str, steps: int) -> None:
    """Tells nobody."""


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
    0 for not at all. steps, epochs: the most that each fit takes, 0 for all of the script's. trace:
    look closely at first steps. batches: the port is trained on Keras's batches, by `harness`, and
    only its training is compared. arguments: of both scripts' command lines. timeout: seconds a
    child. env: added to the environment. cache: a folder that keeps recordings by the content of
    all that goes in (but not of this package). launch: how a child is started. tell: called now
    and then with a child's title and the number of steps it has done.
    """

    engine: str = "keras3"
    stubs: tuple[Path, ...] = ()
    edits: Edits = ()
    draws: int = 0
    steps: int = 0
    epochs: int = 0
    trace: bool = False
    batches: bool = False
    arguments: tuple[str, ...] = ()
    timeout: float = 300
    gpu: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None
    launch: Launch = afresh
    tell: Tell = silent


DEFAULT = Setting()


def record_keras(script: Path, setting: Setting = DEFAULT) -> Recording:
    """Runs a Keras script and returns what it recorded. Raises ProbeFailed."""
    child = Child("Keras", "Keras", "k2t.verify.probes.keras_probe", ["--engine", setting.engine])
    return _record(child, script, setting, None)


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
    title = f"port, disturbed by {disturb:g}" if disturb else "port"
    child = Child("port", title, "k2t.verify.probes.torch_probe", ["--disturb", str(disturb)])
    return _record(child, script, setting, weights_from)


@dataclass(frozen=True)
class Child:
    """A module to be run: for which side, its title, name and own options."""

    side: str
    title: str
    module: str
    options: list[str]


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
    if setting.batches:
        keras = only_training(keras)
    port = replace(setting, edits=(*setting.edits, *edits_after))
    again = replace(port, draws=0)
    with ThreadPoolExecutor(at_a_time(keras)) as pool:
        first = pool.submit(record_torch, after, port, weights_from=keras)
        rest = [
            pool.submit(record_torch, after, again, weights_from=keras, disturb=size)
            for size in controls
        ]
        torch = only_training(first.result()) if setting.batches else first.result()
        disturbed = []
        while rest:  # one recording of a control in memory at a time
            disturbed.append(compare(torch, rest.pop(0).result()))
    report, control = compare(keras, torch), worst(disturbed) if disturbed else None
    return Comparison(keras, torch, report, control, verdict(report, control, limits))


def at_a_time(keras: Recording) -> int:
    """How many ports are run at a time: one, where two may not fit into memory."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return WORKERS if ROOM * keras.memory < free else 1


def only_training(recording: Recording) -> Recording:
    """The steps of the first fit and nothing else."""
    fits = [replace(fit, epochs=[], running=[]) for fit in recording.fits[:1]]
    return replace(recording, fits=fits, outputs=[], variables={})


def _record(child: Child, script: Path, setting: Setting, weights: Recording | None) -> Recording:
    text = script.read_text(encoding="utf-8")
    for old, new in setting.edits:
        text = text.replace(old, new)
    start = pickle.dumps(beginning(weights) if weights is not None else None)
    key = _key(child, text, script.parent, setting, start)
    if setting.cache is not None and (setting.cache / key).exists():
        return load(setting.cache / key)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = folder / "cwd"
        own.mkdir()
        lay_out(text, [Path.cwd(), script.resolve().parent], own)
        (own / script.name).write_text(text, encoding="utf-8")
        command = [str(own / script.name), str(folder / "out"), *child.options]
        command += ["--beside", str(script.resolve().parent)]
        command += ["--progress", str(folder / "progress")]
        for option in ("draws", "steps", "epochs"):
            command += [f"--{option}", str(getattr(setting, option))]
        command += ["--trace"] if setting.trace else []
        command += ["--batches"] if setting.batches else []
        command += [f"--argument={argument}" for argument in setting.arguments]
        for stub in setting.stubs:
            command += ["--stubs", str(stub.resolve())]
        if weights is not None:
            (folder / "weights").write_bytes(start)
            command += ["--weights", str(folder / "weights")]
        run_child(command, folder, setting, child, script)
        recording = load(folder / "out")
    if setting.cache is not None:
        setting.cache.mkdir(parents=True, exist_ok=True)
        recording.save(setting.cache / key)
    return recording


def _key(child: Child, text: str, parent: Path, setting: Setting, start: bytes) -> str:
    stubs = [stub.read_text(encoding="utf-8") for stub in setting.stubs]
    limits = [setting.draws, setting.steps, setting.epochs, setting.trace, setting.gpu]
    limits += [setting.batches]
    told = [limits, setting.arguments, sorted(setting.env.items()), child.options]
    rest = [str(parent.resolve()), told]
    return hashlib.sha256(repr([child.module, text, stubs, rest]).encode() + start).hexdigest()


def _environment(setting: Setting) -> dict[str, str]:
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(p for p in (home, os.environ.get("PYTHONPATH", "")) if p)
    hidden = {} if setting.gpu else {"CUDA_VISIBLE_DEVICES": ""}
    # TensorFlow reads it when it is imported, which is before the engine is loaded
    legacy = {"TF_USE_LEGACY_KERAS": "1"} if setting.engine in TF_KERAS else {}
    return {**os.environ, **QUIET, **hidden, **legacy, "PYTHONPATH": path, **setting.env}


def run_child(
    arguments: list[str], folder: Path, setting: Setting, child: Child, script: Path
) -> None:
    """Runs a child to its end, with all it started. Raises ProbeFailed."""
    log = folder / "log"
    env = _environment(setting)
    try:
        process = setting.launch(child.module, arguments, folder / "cwd", env, log)
    except OSError as error:
        raise ProbeFailed(child.side, script, "could not be started", [str(error)]) from error
    try:
        code = _wait(process, folder / "progress", setting, child.title)
        problem = f"ended with exit code {code}" if code else ""
        problem = KILLED if code == -signal.SIGKILL else problem
    except subprocess.TimeoutExpired:
        problem = f"ran longer than {setting.timeout:g} s"
    finally:
        _end(process)
    if problem:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise ProbeFailed(child.side, script, problem, lines[-25:])


def _wait(process: Process, progress: Path, setting: Setting, title: str) -> int:
    """The exit code; tells of progress meanwhile. Raises TimeoutExpired."""
    end = time.monotonic() + setting.timeout
    while True:
        text = progress.read_text(encoding="ascii") if progress.exists() else ""
        setting.tell(title, int(text or 0))
        try:
            return process.wait(min(TICK, max(end - time.monotonic(), 0)))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                raise


def _end(process: Process) -> None:
    """Ends the child and the processes it left behind (workers of data loaders)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
