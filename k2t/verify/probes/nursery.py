"""Imports a framework once and forks a process for each probe that is to run.

    python -m k2t.verify.probes.nursery MODULE ...

Reads requests, a JSON object a line: the module to run and its arguments, the working directory,
the environment and a file for stderr. Writes a line for each process: `{"id": ..., "pid": ...}`
when it begins and `{"pid": ..., "code": ...}` when it has ended. Ends when its input does. Nothing
but imports happens here: no tensor is made, no thread started, so that a fork is as good as a fresh
process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any


def say(**what: Any) -> None:
    os.write(sys.stdout.fileno(), (json.dumps(what) + "\n").encode())


def reap() -> None:
    """Tells of every process that has ended."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            say(pid=pid, code=os.waitstatus_to_exitcode(status))


def requests(ended: int) -> Iterator[bytes]:
    """The lines of the input; in between, processes are reaped.

    A handler alone would not do: a signal between its check and the read that blocks waits for the
    next line. ``ended`` can be read where a process has ended.
    """
    lines, rest = sys.stdin.fileno(), b""
    while True:
        ready, _, _ = select.select([lines, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            reap()
        if lines in ready:
            read = os.read(lines, 65536)
            if not read:
                return
            *whole, rest = (rest + read).split(b"\n")
            yield from whole


def become(request: dict[str, Any]) -> int:
    """Runs the request in this process, as `python -m MODULE ARGUMENTS` would; the exit code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for ours, standard in ((nothing, 0), (nothing, 1), (log, 2)):
        os.dup2(ours, standard)
    sys.argv = request["argv"]
    sys.path[0] = request["cwd"]
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    for name in sys.argv[1:]:
        # what is missing is missed by the script that wants it
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for line in requests(ended):
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = become(request)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        with suppress(OSError):  # it has done so itself, or is over
            os.setpgid(pid, pid)
        say(id=request["id"], pid=pid)


if __name__ == "__main__":
    main()
