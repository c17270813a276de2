"""What the migrated scripts make of the cases, as errors relative to Keras."""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

import numpy as np
import torch

from k2t.ir.finding import Severity
from k2t.pipeline import migrate
from k2t.verify.probes import torch_weights
from k2t.verify.recording import Entry

from .cases import Case


@cache
def migrated(script: str, dialect: str) -> str:
    """The migrated script. Raises AssertionError where k2t has left something."""
    result = migrate(script.encode(), "case.py", dialect=dialect)
    left = [f"{f.code} {f.message}" for f in result.findings if f.severity == Severity.ERROR]
    assert not left, "; ".join(left)
    assert result.text is not None
    for node in ast.walk(ast.parse(result.text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "keras" not in ast.unparse(node), result.text
    return result.text


def relative(ours: Any, theirs: Any, scale: float = 0.0) -> float:
    """max|a - b| / max|b| (or `scale`); infinite for other shapes and for NaN."""
    ours, theirs = np.asarray(ours, dtype="float64"), np.asarray(theirs, dtype="float64")
    if ours.shape != theirs.shape:
        return float("inf")
    error = float(np.abs(ours - theirs).max(initial=0.0))
    return error / (scale or np.abs(theirs).max(initial=0.0) or 1.0) if error < np.inf else np.inf


def entry_errors(name: str, ours: list[Entry], theirs: list[Entry]) -> dict[str, float]:
    """One error a role, relative to the largest number of its layer.

    `unpaired` looks at the roles that only torch has.
    """
    errors: dict[str, float] = {}
    for a, b in zip(ours, theirs, strict=True):
        scale = max(float(np.abs(array).max(initial=0.0)) for array in b.arrays.values())
        for role, array in b.arrays.items():
            key = f"{name} {b.name}.{role}"
            errors[key] = relative(a.arrays.get(role, np.nan), array, scale)
    return errors


def forward(case: Case, keras: dict[str, Any]) -> dict[str, float]:
    """Errors of outputs, gradients and statistics. Raises AssertionError for what has no error."""
    torch.set_default_dtype(getattr(torch, case.dtype))
    try:
        return compared(case, keras)
    finally:
        torch.set_default_dtype(torch.float32)


def compared(case: Case, keras: dict[str, Any]) -> dict[str, float]:
    text = migrated(case.script, case.dialect)
    model = execute(text)["model"]
    xs = [torch.tensor(x) for x in case.inputs()]
    given = xs if len(xs) > 1 else xs[0]
    partners = place(keras["start"], model)
    model.eval()
    with torch.no_grad():
        errors = {"inference": relative(model(given), keras["inference"])}
    if case.proves == "inference":
        return errors
    model.train()
    floats = [x.requires_grad_() for x in xs if x.is_floating_point()]
    out = model(given)
    errors["training"] = relative(out.detach(), keras["training"])
    if case.proves == "outputs":
        return errors
    (out * torch.tensor(keras["cotangent"])).sum().backward()
    for i, (x, gradient) in enumerate(zip(floats, keras["inputs"], strict=True)):
        found = torch.zeros_like(x) if x.grad is None else x.grad
        errors[f"gradient of input {i}"] = relative(found, gradient)
    errors |= entry_errors("after", read(model, partners), keras["after"])
    unpaired(partners, keras["start"])
    return errors | gradient_errors(model, partners, keras["weights"])


def gradient_errors(
    model: torch.nn.Module, partners: list[torch_weights.Place], theirs: list[Entry]
) -> dict[str, float]:
    """Of the gradients of all parameters, which are then the model's weights."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.copy_(torch.zeros(()) if tensor.grad is None else tensor.grad)
    return entry_errors("gradient", read(model, partners), theirs)


def execute(text: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "<migrated>", "exec"), namespace)
    return namespace


def place(entries: list[Entry], model: torch.nn.Module) -> list[torch_weights.Place]:
    """Gives the model Keras's weights; the place of each entry."""
    partners = torch_weights.pair(entries, list(range(len(entries))), model)
    torch_weights.put(entries, partners)
    return partners


def read(model: torch.nn.Module, partners: list[torch_weights.Place]) -> list[Entry]:
    """The entries now: a module may have put new tensors in the places of the old ones."""
    found = {place.name: place for place in torch_weights.places(model)}
    return [found[place.name].entry() for place in partners]


def unpaired(partners: list[torch_weights.Place], entries: list[Entry]) -> None:
    """A parameter that Keras does not have must not be trained."""
    for place, entry in zip(partners, entries, strict=True):
        for role in place.slots.keys() - entry.arrays.keys():
            assert not place.slots[role].tensor.requires_grad, f"{place.name}: {role} is trained"
