"""Names of the script that generated code would shadow: other names for ours."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

MODULES = {
    "F": ("functional", "import torch.nn.functional as functional"),
    "L": ("lightning", "import lightning"),
    "nn": ("torch_nn", "import torch.nn as torch_nn"),
    "tm": ("tm_functional", "import torchmetrics.functional as tm_functional"),
}
"""Modules that generated code reads by a short name, and what it reads where that is taken."""


def taken_modules(bound: Collection[str]) -> dict[str, str]:
    """The short names that the script binds itself, and ours instead."""
    return {name: other for name, (other, _) in MODULES.items() if name in bound}


def rename(text: str, names: dict[str, str]) -> str:
    """Generated text with the modules under their other names (always read as ``name.``)."""
    for name, other in names.items():
        text = re.sub(rf"(?<![\w.]){name}\.(?=[A-Za-z_])", f"{other}.", text)
    return text


def ambiguous(source: str, names: Iterable[str]) -> str | None:
    """A taken name that the script reads attributes of, so that ours cannot be told apart."""
    return next((n for n in names if re.search(rf"(?<![\w.]){n}\.[A-Za-z_]", source)), None)


def defined(blocks: Iterable[str]) -> set[str]:
    """The functions, classes and tables that generated blocks define."""
    text = "\n".join(blocks)
    return set(re.findall(r"^(?:class|def) (\w+)", text, re.M)) | set(
        re.findall(r"^([A-Z_]+) = \{", text, re.M)
    )
