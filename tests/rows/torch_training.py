"""Our side of the scripts that train: `Trained` cases of training.py, as errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import lightning
import numpy as np
import torch

from k2t.verify.probes import torch_weights
from k2t.verify.recording import Entry

from ..samples import RISK, probability
from .torch_side import (
    entry_errors,
    execute,
    gradient_errors,
    migrated,
    place,
    read,
    relative,
    unpaired,
)
from .training import Trained


def trained(case: Trained, keras: dict[str, Any]) -> dict[str, float]:
    """Errors of what the case's mode compares."""
    text = migrated(case.script, case.dialect)
    torch.manual_seed(1)
    if case.mode == "initial":
        return initial(case, execute(text)["model"], keras["start"])
    found: dict[str, float] = {}
    trainer = lightning.Trainer
    fit, init = trainer.fit, trainer.__init__
    trainer.__init__ = functools.partialmethod(init, enable_progress_bar=False)
    trainer.fit = hooked(case, keras, found, fit)
    try:
        namespace = execute(text)
    finally:
        trainer.fit, trainer.__init__ = fit, init
    if case.mode == "metrics":
        scores = namespace["scores"]
        assert len(scores) == len(keras["scores"]), scores
        for i, (ours, theirs) in enumerate(zip(scores, keras["scores"], strict=True)):
            found[f"score {i}"] = relative(float(ours), theirs)
    return found


def hooked(
    case: Trained, keras: dict[str, Any], found: dict[str, float], fit: Callable[..., Any]
) -> Callable[..., Any]:
    """`Trainer.fit` that sets the weights first, and then does what the mode wants."""

    def hook(trainer: Any, model: Any, loader: Any, *args: Any, **kwargs: Any) -> None:
        partners = place(keras["start"], model)
        unpaired(partners, keras["start"])
        if case.mode == "loss":
            found.update(one_batch(model, partners, next(iter(loader)), keras))
        if case.mode == "fit":
            fit(trainer, model, loader, *args, **kwargs)
            found.update(travel(read(model, partners), keras))

    return hook


def one_batch(
    model: Any, partners: list[torch_weights.Place], batch: Any, keras: dict[str, Any]
) -> dict[str, float]:
    logs: dict[str, Any] = {}
    model.log = lambda name, value, **kwargs: logs.update({name: value})
    model.log_dict = lambda values, **kwargs: logs.update(values)
    loss = model.training_step(batch, 0)
    loss.backward()
    errors = {
        "loss": relative(loss.item(), keras["loss"]),
        "logged loss": relative(float(logs["loss"]), keras["loss"]),
    }
    return errors | gradient_errors(model, partners, keras["weights"])


def travel(ours: list[Entry], keras: dict[str, Any]) -> dict[str, float]:
    """The difference of each final weight relative to the way it has gone in Keras."""
    moved = [
        [
            Entry(e.kind, e.name, {role: e.arrays[role] - s.arrays[role] for role in s.arrays})
            for e, s in zip(entries, keras["start"], strict=True)
        ]
        for entries in (ours, keras["after"])
    ]
    return entry_errors("travel", *moved)


def initial(case: Trained, model: Any, theirs: list[Entry]) -> dict[str, float]:
    """Errors of standard deviation, mean and limits; constants are compared as such.

    Raises AssertionError where Kolmogorov and Smirnov's test tells the two samples apart.
    """
    partners = torch_weights.pair(theirs, list(range(len(theirs))), model)
    errors: dict[str, float] = {}
    for ours, entry in zip(read(model, partners), theirs, strict=True):
        for role, b in entry.arrays.items():
            a, name = ours.arrays[role], f"{entry.kind}.{role}"
            if len(np.unique(b)) < 4:
                errors[name] = relative(a, b)
                continue
            errors[f"{name} std"] = relative(a.std(), b.std())
            errors[f"{name} mean"] = float(abs(a.mean() - b.mean()) / b.std())
            p = probability(a, b)
            assert p > RISK, f"{name}: p = {p:.2g} that one distribution gives both"
            if "Orthogonal" in case.row or role == "recurrent_kernel":
                errors[f"{name} spectrum"] = relative(spectrum(a), spectrum(b))
            elif "RandomNormal" not in case.row:
                ends = [np.array([v.min(), v.max()]) for v in (a, b)]
                errors[f"{name} limits"] = relative(*ends)
    return errors


def spectrum(kernel: Any) -> Any:
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
