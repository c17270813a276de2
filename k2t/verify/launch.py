"""How a probe's process is started: afresh, or forked from one that has imported its framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

# what each probe imports whatever the script; importing it is up to half of a small script's time
FRAMEWORKS = {
    "k2t.verify.probes.keras_probe": ("tensorflow",),
    "k2t.verify.probes.torch_probe": ("lightning.pytorch", "torchmetrics.functional"),
}
# variables that a framework reads while it is imported begin with one of these
READ_BY_IMPORTS = ("CUDA", "KERAS", "LD_", "MKL", "OMP", "OPENBLAS", "PYTHON", "TF_", "TORCH")


class Process(Protocol):
    """A process that runs. `wait` raises subprocess.TimeoutExpired."""

    @property
    def pid(self) -> int: ...

    def wait(self, timeout: float | None = None) -> int: ...


Launch = Callable[[str, Sequence[str], Path, Mapping[str, str], Path], Process]
"""Starts a module, given arguments, working directory, environment and a file for stderr.

The process leads a process group of its own.
"""


def afresh(
    module: str, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path
) -> Process:
    """A new interpreter."""
    with open(log, "wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )


@contextmanager
def nurseries() -> Iterator[Launch]:
    """A Launch that imports each framework once for all that its import can see of an environment.

    Where a process cannot fork, it starts afresh.
    """
    known: dict[tuple[str, frozenset[tuple[str, str]]], Nursery] = {}
    guard = threading.Lock()

    def launch(
        module: str, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path
    ) -> Process:
        if not hasattr(os, "fork") or module not in FRAMEWORKS:
            return afresh(module, arguments, cwd, env, log)
        seen = {(k, v) for k, v in env.items() if k.startswith(READ_BY_IMPORTS)}
        key = (module, frozenset(seen))
        with guard:
            if key not in known:
                known[key] = Nursery(FRAMEWORKS[module], env)
        return known[key].start(module, arguments, cwd, env, log)

    try:
        yield launch
    finally:
        for nursery in known.values():
            nursery.close()


class Nursery:
    """A process of `probes/nursery.py`, and what it has told of the processes it forked."""

    def __init__(self, modules: Sequence[str], env: Mapping[str, str]) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-m", "k2t.verify.probes.nursery", *modules],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.news = threading.Condition()
        self.pids: dict[int, int] = {}
        self.codes: dict[int, int] = {}
        self.asked = 0
        self.over = False
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        assert self.server.stdout is not None
        for line in self.server.stdout:
            told = json.loads(line)
            with self.news:
                if "id" in told:
                    self.pids[told["id"]] = told["pid"]
                else:
                    self.codes[told["pid"]] = told["code"]
                self.news.notify_all()
        with self.news:
            self.over = True
            self.news.notify_all()

    def start(
        self, module: str, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path
    ) -> Process:
        """Raises OSError where the server has died."""
        assert self.server.stdin is not None
        with self.news:
            self.asked += 1
            number = self.asked
            request = {"id": number, "module": module, "argv": [module, *arguments]}
            request |= {"cwd": str(cwd), "env": dict(env), "log": str(log)}
            self.server.stdin.write((json.dumps(request) + "\n").encode())
            self.server.stdin.flush()
            self.news.wait_for(lambda: number in self.pids or self.over)
            if number not in self.pids:
                raise OSError("the process that has imported the framework died")
            return Forked(self, self.pids[number], [module, *arguments])

    def close(self) -> None:
        """Ends the server; what it forked has been waited for."""
        assert self.server.stdin is not None
        with suppress(BrokenPipeError):
            self.server.stdin.close()
        self.server.wait()


class Forked:
    """A process that a nursery has forked."""

    def __init__(self, nursery: Nursery, pid: int, command: list[str]) -> None:
        self.nursery, self.pid, self.command = nursery, pid, command

    def wait(self, timeout: float | None = None) -> int:
        nursery = self.nursery
        with nursery.news:
            if not nursery.news.wait_for(
                lambda: self.pid in nursery.codes or nursery.over, timeout
            ):
                raise subprocess.TimeoutExpired(self.command, timeout or 0)
            return nursery.codes.get(self.pid, -9)

    def ended(self) -> bool:
        return self.pid in self.nursery.codes or self.nursery.over
