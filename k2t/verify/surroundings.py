"""What a script finds around it when it is run in a folder of its own: the files it names.

Children run in a temporary folder, so that nothing of the user's is written. What both scripts
mention and is there is laid beside them: small files as copies, large ones as links that nobody may
open for writing.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LARGE = 64 * 2**20  # bytes: a larger file is not copied
MOST = 20_000  # files laid out
WRITTEN_BY_LIBRARIES = (".h5", ".hdf5", ".keras", ".ckpt", ".pt", ".pth", ".db", ".sqlite")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree")


def lay_out(text: str, homes: list[Path], folder: Path) -> None:
    """Puts what a script's string literals name into `folder`, found in the first home that has it.

    Only relative paths are laid out: absolute ones are where they are.
    """
    budget = [MOST]
    for name in sorted(mentioned(text)):
        for home in homes:
            source = home / name
            if source.exists() and inside(source, home) and not (folder / name).exists():
                copy(source, folder / name, budget)
                break


def mentioned(text: str) -> set[str]:
    """Relative paths in the literals of a script, and the folders they are in."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = os.path.normpath(node.value) if 0 < len(node.value) < 256 else "."
            if "\n" in name or "\0" in name or os.path.isabs(name) or name.startswith(".."):
                continue
            found |= {name, os.path.dirname(name)}
    return found - {"", "."}


def inside(path: Path, home: Path) -> bool:
    return path.resolve().is_relative_to(home.resolve())


def copy(source: Path, target: Path, budget: list[int]) -> None:
    """Copies files and folders, linking large files; hidden ones and what is too many stay away."""
    if budget[0] <= 0:
        return
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for part in sorted(source.iterdir()):
            if not part.name.startswith((".", "__pycache__")):
                copy(part, target / part.name, budget)
        return
    budget[0] -= 1
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or not source.is_file():
        return
    if source.stat().st_size > LARGE and source.suffix not in WRITTEN_BY_LIBRARIES:
        target.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, target)


def protect(*folders: str) -> None:
    """From now on this process cannot change files in these folders; its own folder is excepted."""
    own = os.path.realpath(os.getcwd())
    closed = [os.path.realpath(folder) for folder in folders]

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            paths = [path] if isinstance(flags, int) and flags & WRITES else []
        elif event in CHANGES:
            paths = list(args[:2])
        else:
            return
        for path in paths:
            for place in real(path):
                if beneath(place, closed) and not beneath(place, [own]):
                    raise PermissionError(f"k2t verify writes nothing of yours: {place}")

    sys.addaudithook(refuse)


def real(path: Any) -> Iterator[str]:
    if isinstance(path, str | bytes | os.PathLike):
        yield os.path.realpath(os.fsdecode(path))


def beneath(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)
