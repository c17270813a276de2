"""The helper definitions that are copied into generated scripts, cut out of ``render/helpers``."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent / "helpers"

RENAMED = {
    "pad_sequences_full": "pad_sequences",
    "preprocess_caffe": "preprocess_input",
    "preprocess_tf": "preprocess_input",
    "preprocess_torch": "preprocess_input",
    "make_dict_loader": "make_loader",
    "make_list_loader": "make_loader",
    "make_mixed_loader": "make_loader",
    "load_cifar100_full": "load_cifar100",
    "TextVectorizationFull": "TextVectorization",
    "RMSpropFull": "RMSprop",
    "SGDFull": "SGD",
    "AUCFull": "AUC",
    "AttentionFull": "Attention",
    "AdditiveAttentionFull": "AdditiveAttention",
    "RestoringEarlyStoppingOnce": "RestoringEarlyStopping",
    "LearningRateSchedulerFull": "LearningRateScheduler",
    "HistoryFull": "History",
    "HistoryWithRate": "History",
    "ImageDataGeneratorFull": "ImageDataGenerator",
    "draw_places_by_rows": "draw_places",
}
"""Variants and the name they get in a script."""

OPENINGS = (("def ", "("), ("class ", "("), ("class ", ":"))


@cache
def definitions() -> dict[str, tuple[str, frozenset[str]]]:
    """Source text of each helper, and the names it reads."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for path in sorted(HERE.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                body = "\n".join(lines[first - 1 : node.end_lineno])
                found[node.name] = (body, frozenset(names))
    return found


@cache
def import_lines() -> dict[str, str]:
    """For each name the helpers import: the statement that brings it."""
    found: dict[str, str] = {}
    for path in sorted(HERE.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    text = f"import {alias.name}"
                    text += f" as {alias.asname}" if alias.asname else ""
                    found[alias.asname or alias.name] = text
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    text = f"from {node.module} import {alias.name}"
                    text += f" as {alias.asname}" if alias.asname else ""
                    found[alias.asname or alias.name] = text
    return found


def with_needs(names: list[str]) -> list[str]:
    """The helpers named and those they call, callees first."""
    known = definitions()
    names = [n for n in names if RENAMED.get(f"{n}Full") != n or f"{n}Full" not in names]
    replaced = {RENAMED[name] for name in names if name in RENAMED} - set(names)
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        for other in sorted(known[name][1]):
            if other in known and other not in (name, *replaced) and callee(other, name):
                visit(other)
        ordered.append(name)

    for name in names:
        visit(name)
    return ordered


def callee(other: str, name: str) -> bool:
    """A helper is needed by another only within one file (``LSTM`` is also a torch name)."""
    return file_of(other) == file_of(name)


@cache
def file_of(name: str) -> str:
    for path in sorted(HERE.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if any(f"{start}{name}{end}" in text for start, end in OPENINGS):
            return path.stem
    raise KeyError(name)


def source(name: str, target: str) -> str:
    """The text of a helper under the name it gets."""
    import re

    text = definitions()[name][0]
    final = RENAMED.get(name, name) if target == name else target
    if final != name:
        text = re.sub(rf"\b(def|class) {name}\b", rf"\1 {final}", text, count=1)
        text = re.sub(rf"(?<![\w.]){name}\(", f"{final}(", text)
    return text
