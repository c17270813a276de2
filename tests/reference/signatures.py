"""The parameters of Keras's classes, with their defaults: of a version's source, or of a package.

    python -m tests.reference.signatures FOLDER   of a clone of keras-team/keras, at some tags:
                                                   writes signatures.json beside this file
    python -m tests.reference.signatures keras     prints those of an installed package

Both give ``{"layers.Dense": "units, activation=None, ..."}``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

Signatures = dict[str, str]

STORED = Path(__file__).with_name("signatures.json")
TAGS = ("2.0.0", "2.2.4", "2.3.1")
SECTIONS = (
    "layers", "optimizers", "callbacks", "initializers", "regularizers", "constraints", "losses",
    "metrics",
)  # fmt: skip


def of_sources(folder: Path, tag: str) -> Signatures:
    """Those of the public classes and functions in ``keras/`` at a tag."""
    listed = git(folder, "ls-tree", "-r", "--name-only", tag, "keras").split()
    found: Signatures = {}
    for file in listed:
        section = next((s for s in SECTIONS if f"/{s}" in file.removesuffix(".py")), None)
        if section is None or not file.endswith(".py"):
            continue
        for node in ast.parse(git(folder, "show", f"{tag}:{file}")).body:
            arguments = arguments_of(node)
            if arguments is not None:
                found.setdefault(f"{section}.{node.name}", arguments)  # type: ignore[attr-defined]
    return dict(sorted(found.items()))


def arguments_of(node: ast.stmt) -> str | None:
    made = node
    if isinstance(node, ast.ClassDef):
        made = next((n for n in node.body if getattr(n, "name", "") == "__init__"), node)
    if not isinstance(made, ast.FunctionDef) or getattr(node, "name", "_").startswith("_"):
        return None
    names = [a.arg for a in made.args.args]
    texts = [f"={ast.unparse(default)}" for default in made.args.defaults]
    texts = [""] * (len(names) - len(texts)) + texts
    joined = [name + text for name, text in zip(names, texts, strict=True)]
    return ", ".join(joined[1 if made is not node else 0 :])


def of_package(name: str) -> Signatures:
    """Those of an installed Keras."""
    keras, found = importlib.import_module(name), {}
    for section in SECTIONS:
        module = getattr(keras, section)
        for public in dir(module):
            made: Any = getattr(module, public)
            if not callable(made) or public.startswith("_"):
                continue
            try:
                params = inspect.signature(made.__init__ if inspect.isclass(made) else made)
            except ValueError:
                continue
            kept = [p for p in params.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
            found[f"{section}.{public}"] = ", ".join(
                p.name if p.default is p.empty else f"{p.name}={p.default!r}"
                for p in kept
                if p.name != "self"
            )
    return found


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    if Path(sys.argv[1]).is_dir():
        stored = {tag: of_sources(Path(sys.argv[1]), tag) for tag in TAGS}
        STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    else:
        print(json.dumps(of_package(sys.argv[1])))
