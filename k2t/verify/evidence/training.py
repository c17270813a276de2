"""Causes in what is done with the model: loss, validation, metrics, optimizer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from k2t.verify.evidence import codes
from k2t.verify.evidence import numbers as h
from k2t.verify.evidence.case import AGREES, CONFIRMED, ELSEWHERE, HERE, Case, Found, percent
from k2t.verify.recording import Entry
from k2t.verify.result import Cause


def activation_twice(case: Case) -> Iterator[Found]:
    """The port's loss takes probabilities for logits."""
    keras, port = case.traces
    if not (
        len(keras.output) == len(keras.targets) == 1 and case.keras.losses and case.port.losses
    ):
        return
    (p,), (y,) = keras.output.values(), keras.targets.values()
    losses = case.keras.losses[0], case.port.losses[0]
    several = h.is_softmax(p)
    name, loss, activation = (
        ("softmax", h.crossentropy, h.softmax)
        if several
        else ("sigmoid", h.binary_crossentropy, h.sigmoid)
    )
    if (p.size == len(p) != y.size) or not ((p >= 0) & (p <= 1)).all():
        return
    title = f"double {name}: the model ends in a {name} and the loss applies it again"
    try:
        once, twice = float(loss(p, y).mean()), float(loss(activation(p), y).mean())
    except (ValueError, IndexError):  # targets of another kind
        return
    if h.near(once, losses[0]) and h.confirmed((losses[0], losses[1]), twice):
        figures = f"loss of the first step: Keras {losses[0]:.6g}, port {losses[1]:.6g}"
        yield (
            CONFIRMED,
            Cause(title, codes.SOFTMAX, f"{figures}, {name} applied twice {twice:.6g}"),
        )
        return
    forward = next(iter(port.logits.values()), None)
    if forward is not None and h.near(p, forward) and re.search(r"cross_?entropy", case.text, re.I):
        yield (
            HERE,
            Cause(
                title, codes.SOFTMAX, "forward gives probabilities, and a crossentropy is called"
            ),
        )


def target_broadcast(case: Case) -> Iterator[Found]:
    """(n, 1) against (n,): every output is compared with every target."""
    keras, _ = case.traces
    if not (
        len(keras.output) == len(keras.targets) == 1 and case.keras.losses and case.port.losses
    ):
        return
    (p,), (y,) = keras.output.values(), keras.targets.values()
    losses = case.keras.losses[0], case.port.losses[0]
    for name, rows, pairs in h.all_pairs(p, y):
        if h.near(rows, losses[0]) and h.confirmed((losses[0], losses[1]), pairs):
            n = p.size
            yield (
                CONFIRMED,
                Cause(
                    f"target broadcast: ({n}, 1) against ({n},) pairs every row with every target",
                    codes.BROADCAST,
                    f"loss of the first step: Keras {losses[0]:.6g}, port {losses[1]:.6g}; mean "
                    f"{name} over all {n} x {n} pairs {pairs:.6g}",
                ),
            )


def loss_by_a_factor(case: Case) -> Iterator[Found]:
    """Loss and all gradients are a multiple of Keras's: the sum is divided by something else."""
    keras, port = case.traces
    if not (case.keras.losses and case.port.losses and case.keras.losses[0]):
        return
    factor = case.port.losses[0] / case.keras.losses[0]
    a, b = h.joined(keras.gradients, port.gradients)
    if not (a.size and math.isfinite(factor) and h.confirmed((a, b), factor * a)):
        return
    rows = case.keras.sizes[0] if case.keras.sizes else 0
    figures = f"loss and all gradients of the first step are {factor:.6g} times Keras's"
    if rows > 1 and h.near(factor, float(rows)):
        title = "the loss is the sum over the batch, Keras's the mean"
        yield CONFIRMED, Cause(title, codes.REDUCTION, f"{figures}, the number of rows")
        return
    title = "the loss is divided by something else than the number of rows"
    if re.search(r"weights?\s*=", case.text):
        title = (
            "weighted mean: torch divides by the sum of the weights, Keras by the number of rows"
        )
        figures += ", and the port passes weights"
    yield HERE, Cause(title, codes.REDUCTION, figures)


def epoch_mean(case: Case) -> Iterator[Found]:
    """An epoch's loss as the mean of its batches' means, whatever their sizes."""
    epochs = min(len(case.keras.epochs), len(case.port.epochs))
    if not epochs or not h.near(case.keras.losses, case.port.losses):
        return
    steps = len(case.keras.losses) // epochs
    means = [float(np.mean(case.port.losses[i * steps :][:steps])) for i in range(epochs)]
    values = [[e.get("loss", math.nan) for e in f.epochs[:epochs]] for f in (case.keras, case.port)]
    if h.confirmed(values, means):
        evidence = f"the mean of the steps' losses {percent(values, means)}"
        title = "epoch loss: batches count alike, in Keras by their number of rows"
        yield CONFIRMED, Cause(title, codes.EPOCH, evidence)


# -------------------------------------------------------------------------- validation and metrics


def eval_forgotten(case: Case) -> Iterator[Found]:
    """Running statistics that end elsewhere although all training steps agree."""
    epochs = len(case.keras.epochs)
    steps = len(case.keras.losses) // epochs if epochs else 0
    names = [name for name in case.report.metrics if name.startswith("val_")]
    if not steps or not names or max(case.report.losses[:steps], default=0.0) > AGREES:
        return
    name = max(names, key=lambda name: case.report.metrics[name])
    trained = h.near(*h.joined(case.keras.final, case.port.final), size=1e-3)
    once = [statistics(trace.after) for trace in case.traces]
    end = [statistics(fit.final) for fit in (case.keras, case.port)]
    if not (trained and once[0].size and h.near(once[0], once[1], 1e-3)) or h.near(
        end[0], end[1], 1e-2
    ):
        return
    apart = float(np.abs(end[0] - end[1]).max() / np.abs(end[0]).max())
    evidence = (
        f"running statistics agree after one step, losses of an epoch's {steps} steps too, yet "
        f"the statistics end {apart:.1e} apart, {name} is off by {case.report.metrics[name]:.1e}: "
        "something besides the training steps updates them"
    )
    title = "eval() forgotten: validation runs in train mode"
    yield CONFIRMED, Cause(title, codes.EVAL, evidence)


def statistics(entries: list[Entry]) -> Any:
    """All running means and variances, one after the other."""
    roles = ("moving_mean", "moving_variance")
    found = [e.arrays[role].ravel() for e in entries for role in roles if role in e.arrays]
    return np.concatenate(found) if found else np.zeros(0)


def macro_average(case: Case) -> Iterator[Found]:
    """Accuracy as the mean of the classes' recalls."""
    title = "macro average: torchmetrics takes the mean over classes, Keras over rows"
    keras, _ = case.traces
    running = [fit.running[0] if fit.running else {} for fit in (case.keras, case.port)]
    names = [name for name in running[0].keys() & running[1].keys() if "acc" in name]
    if names and len(keras.output) == len(keras.targets) == 1:
        (p,), (y,) = keras.output.values(), keras.targets.values()
        if p.ndim == 2 and p.shape[1] > 1 and y.size in (len(p), p.size):
            y = y.argmax(axis=1) if y.size == p.size else y.reshape(-1).astype(int)
            guess = p.argmax(axis=1)
            macro, micro = h.macro_accuracy(guess, y, p.shape[1]), float((guess == y).mean())
            values = [side[names[0]] for side in running]
            if h.near(micro, values[0]) and h.confirmed(values, macro):
                evidence = (
                    f"{names[0]} of the first batch: Keras {values[0]:.6g}, port {values[1]:.6g}, "
                    f"mean of the classes' recalls {macro:.6g}"
                )
                yield CONFIRMED, Cause(title, codes.MACRO, evidence)
                return
    worst = max(case.report.metrics.items(), key=lambda item: item[1], default=("", 0.0))
    macro_metrics = [m for m in case.port.facts.metrics if m.get("average") == "macro"]
    written = macro_metrics or re.search(r"average\s*=\s*[\"']macro[\"']", case.text)
    if written and worst[1] > AGREES and "loss" not in worst[0]:
        evidence = f"{worst[0]} is off by {worst[1]:.1e}, and the port averages by macro"
        yield HERE, Cause(title, codes.MACRO, evidence)


# -------------------------------------------------------------------------------------- optimizers


def adam_epsilon(case: Case) -> Iterator[Found]:
    """Its size, and its place: torch adds it after the bias correction."""
    a, b = case.keras.facts.optimizer, case.port.facts.optimizer
    if not (
        a.get("class") in ("Adam", "AdamW") and {"epsilon", "beta_2"} <= a.keys() and "eps" in b
    ):
        return
    keras, port = case.traces
    due = a["epsilon"] / (1 - a["beta_2"]) ** 0.5  # what torch's has to be at the first step
    if abs(b["eps"] / due - 1) < 1e-3:
        return
    started, gradients = h.joined(case.keras.initial, keras.gradients)
    after = h.joined(keras.after, port.after)
    strength, why = ELSEWHERE, ""
    if started.size == after[0].size and started.size:
        # the difference is taken from the steps, not from the weights they are small against
        steps = [side.astype("float64") - started for side in after]
        made = h.first_adam_step(0 * started, gradients, b["lr"], b["eps"])
        if h.confirmed(steps, made):
            strength, why = CONFIRMED, f"; weights after one step: this {percent(steps, made)}"
        elif differs_in_the_update(case):
            strength = HERE
    title = "Adam's epsilon: another size than Keras's"
    if abs(b["eps"] / a["epsilon"] - 1) < 1e-3:
        title = "Adam's epsilon: added after the bias correction, in Keras before"
    evidence = (
        f"Keras's {a['epsilon']:g} acts as {due:.3g} at the first step, the port has {b['eps']:g}"
    )
    yield strength, Cause(title, codes.ADAM, evidence + why)


OPTIMIZER = (  # Keras's name, torch's name, its place in a tuple
    ("learning_rate", "lr", None),
    ("beta_1", "betas", 0),
    ("beta_2", "betas", 1),
    ("momentum", "momentum", None),
    ("rho", "alpha", None),
    ("rho", "rho", None),
    ("nesterov", "nesterov", None),
    ("weight_decay", "weight_decay", None),
)


def optimizer_settings(case: Case) -> Iterator[Found]:
    a, b = case.keras.facts.optimizer, case.port.facts.optimizer
    strength = HERE if differs_in_the_update(case) else ELSEWHERE
    for ours, theirs, place in OPTIMIZER:
        x, y = a.get(ours), b.get(theirs)
        y = y[place] if place is not None and isinstance(y, list | tuple) else y
        if x is None or y is None or math.isclose(x, y, rel_tol=1e-4, abs_tol=1e-12):
            continue
        title = f"{b.get('class', 'optimizer')}: {theirs} {y:g} against {ours} {x:g}"
        evidence = f"as the first step begins, Keras's {a['class']} has {x:g} and the port's {y:g}"
        yield strength, Cause(title, codes.OPTIMIZER, evidence)


def differs_in_the_update(case: Case) -> bool:
    """Whether the first gradients agree and what the optimizer makes of them does not."""
    keras, port = case.traces
    gradients = h.joined(keras.gradients, port.gradients)
    trace = case.report.trace
    update = max(trace.update.values(), default=0.0) if trace is not None else 0.0
    return gradients[0].size > 0 and h.near(*gradients, size=1e-3) and update > 1e-3
