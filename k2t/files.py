"""Which files the command line means, and writing them whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from k2t.walk import OUTPUT_SUFFIX, walk

STDIN = STDOUT = "-"


@dataclass(frozen=True)
class Input:
    """A file to read (``-`` is stdin) and its path below the argument it was found under."""

    path: str
    below: str

    @property
    def shown(self) -> str:
        return "<stdin>" if self.path == STDIN else self.path

    def read(self) -> bytes:
        if self.path == STDIN:
            return sys.stdin.buffer.read()
        with open(self.path, "rb") as file:
            return file.read()


def inputs(arguments: Iterable[str]) -> list[Input]:
    """Files as given, folders walked; each file once."""
    found: dict[str, Input] = {}
    for argument in arguments:
        if argument != STDIN and os.path.isdir(argument):
            for path in walk(argument):
                item = Input(path, os.path.relpath(path, argument))
                found.setdefault(os.path.normpath(path), item)
        else:
            item = Input(argument, os.path.basename(argument))
            found.setdefault(os.path.normpath(argument), item)
    return list(found.values())


def output_name(path: str) -> str:
    """``script.py`` -> ``script_lightning.py``."""
    return os.path.splitext(path)[0] + OUTPUT_SUFFIX


def write(path: str, data: bytes, like: str | None = None) -> None:
    """Replace ``path`` by ``data`` in one step; the mode bits are kept, or those of ``like`` taken.

    Raises:
        OSError: nothing was written.
    """
    path = os.path.realpath(path)  # a link stays a link
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        for model in (path, like):
            if model is not None and os.path.exists(model):
                os.chmod(temporary, os.stat(model).st_mode & 0o7777)
                break
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
