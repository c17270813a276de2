"""Causes inside the model: the order of axes, padding, recurrent layers, normalisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from k2t.verify.evidence import codes
from k2t.verify.evidence import numbers as h
from k2t.verify.evidence.case import CONFIRMED, ELSEWHERE, HERE, Case, Found, percent
from k2t.verify.recording import Point
from k2t.verify.result import Cause


def flatten_order(case: Case) -> Iterator[Found]:
    """The layer behind a Flatten gets Keras's numbers in torch's order."""
    flat: Point | None = None
    others = {id(a): b for a, b in case.points}
    for point in case.traces[0].points:
        if point.kind in ("Flatten", "Reshape"):
            flat = point
        other = others.get(id(point))
        if flat is None or other is None:
            continue
        if flat.input.ndim > 2 and point.input.ndim == 2:
            turned = h.flattened_channels_first(flat.input)
            if h.confirmed((point.input, other.input), turned):
                shape = tuple(flat.input.shape[1:])
                evidence = (
                    f"input of {point.name}: {flat.name}'s {shape} with the channels first "
                    f"{percent((point.input, other.input), turned)}"
                )
                title = "Flatten order: channels first in torch, last in Keras"
                yield CONFIRMED, Cause(title, codes.FLATTEN, evidence)
        flat = None


def channels_by_view(case: Case) -> Iterator[Found]:
    """NHWC turned to NCHW by view or reshape, which mixes pixels and channels."""
    for point, other in case.points[:1]:
        if point.input.ndim < 3:
            return
        mixed = h.viewed_channels_first(point.input)
        for _, part in h.crops(other.input, point.input.shape):
            if h.confirmed((point.input, part), mixed):
                evidence = (
                    f"input of {point.name}: Keras's {tuple(point.input.shape)} read as channels "
                    f"first {percent((point.input, part), mixed)}"
                )
                title = "NHWC to NCHW by view or reshape instead of permute"
                yield CONFIRMED, Cause(title, codes.CHANNELS, evidence)
                return


def padding_in_front(case: Case) -> Iterator[Found]:
    """padding="same" with strides: Keras pads the far side more, torch both sides alike."""
    title = 'padding="same" with strides: Keras pads the far side more than the near one'
    for point, other in case.points:
        entry = point.entry or 0
        a, b = case.settings(point)
        if a.get("padding") != "same" or "strides" not in a or "padding" not in b:
            continue
        sizes = tuple(point.input.shape[1:-1])
        due = [near for near, _ in h.same_padding(sizes, a["kernel_size"], a["strides"])]
        outside = (cut for cut, part in h.crops(other.input, point.input.shape)
                   if h.near(point.input, part))  # fmt: skip
        before = next(outside, None)
        if before is None or not isinstance(b["padding"], list | tuple):
            continue
        padded = [x + y for x, y in zip(before, b["padding"], strict=True)]
        if padded != due and not same_output(point, other):
            evidence = (
                f"{point.name}: {padded} rows and columns in front, Keras {due} for inputs "
                f"{list(sizes)}, kernel {list(a['kernel_size'])}, strides {list(a['strides'])}"
            )
            strength = CONFIRMED if case.strength(entry, point.kind) == HERE else ELSEWHERE
            yield strength, Cause(title, codes.PADDING, evidence)


def same_output(point: Point, other: Point) -> bool:
    """Whether the layer gives the same numbers: then it pads inside, whatever its settings say."""
    known = point.output is not None and other.output is not None
    return known and h.near(point.output, other.output)


def batch_first(case: Case) -> Iterator[Found]:
    """A recurrent layer that takes the rows of the batch for steps in time."""
    for point, other in case.points:
        settings = case.settings(point)[1]
        if settings.get("batch_first") is not False or point.input.ndim != 3:
            continue
        if point.input.shape == other.input.shape and h.near(point.input, other.input):
            n, steps, _ = point.input.shape
            evidence = (
                f"{point.name} gets (batch, time, features) = {tuple(point.input.shape)} "
                f"and takes it for {n} steps of {steps} rows"
            )
            title = "batch_first=True forgotten: the batch is read as time"
            yield CONFIRMED, Cause(title, codes.BATCH_FIRST, evidence)


# ----------------------------------------------------------------------------- layers' own settings


def batchnorm(case: Case) -> Iterator[Found]:
    """Momentum, epsilon and the running variance, each held against what it does."""
    after = [trace.after for trace in case.traces]
    points = {a.entry: (a, b) for a, b in case.points}
    for i, a, b in case.layers:
        if a.get("class") != "BatchNormalization" or b.get("momentum") is None:
            continue
        arrays = [side[i].arrays if i < len(side) else {} for side in after]
        old, name = case.keras.initial[i].arrays, case.name(i)
        if abs(1 - a["momentum"] - b["momentum"]) > 1e-6:
            share = b["momentum"]
            values = [side.get("moving_mean") for side in arrays]
            strength, why = case.strength(i, a["class"]), ""
            if values[0] is not None and values[1] is not None and a["momentum"] < 1:
                batch = (values[0] - a["momentum"] * old["moving_mean"]) / (1 - a["momentum"])
                made = (1 - share) * old["moving_mean"] + share * batch
                if h.confirmed(values, made):
                    strength = CONFIRMED
                    why = f"; running mean after one step: this {percent(values, made)}"
            evidence = (
                f"{name}: momentum {a['momentum']:g} in Keras is {1 - a['momentum']:g} in torch"
            )
            title = "BatchNorm momentum: torch's is 1 - Keras's"
            yield (
                strength,
                Cause(title, codes.BATCHNORM, f"{evidence}, the port has {share:g}{why}"),
            )
        if abs(a["epsilon"] - b["eps"]) > 1e-9:
            strength, why = case.strength(i, a["class"]), ""
            if i in points and "moving_variance" in old:
                outputs, beta = [p.output for p in points[i]], old.get("beta", 0.0)
                ratio = (old["moving_variance"] + a["epsilon"]) / (
                    old["moving_variance"] + b["eps"]
                )
                made = beta + (outputs[0] - beta) * np.sqrt(ratio)
                if h.confirmed(outputs, made):
                    strength, why = CONFIRMED, f"; its output: this {percent(outputs, made)}"
            title = f"BatchNorm epsilon {b['eps']:.0e} against {a['epsilon']:.0e}"
            evidence = f"{name}: epsilon {a['epsilon']:g} in Keras, eps {b['eps']:g} in the port"
            yield strength, Cause(title, codes.BATCHNORM, evidence + why)
        if i in points and all("moving_variance" in side for side in arrays) and a["momentum"] < 1:
            values = [side["moving_variance"] for side in arrays]
            count = points[i][0].input.size // points[i][0].input.shape[-1]
            made = h.unbiased_variance(old["moving_variance"], values[0], a["momentum"], count)
            if count > 1 and h.confirmed(values, made):
                title = "BatchNorm running variance: torch's is unbiased, n/(n - 1) times Keras's"
                evidence = f"{name}: n = {count} after one step {percent(values, made)}"
                yield CONFIRMED, Cause(title, codes.VARIANCE, evidence)


def epsilon_of_norms(case: Case) -> Iterator[Found]:
    """Epsilon of the other normalisations: a setting alone, its effect is not computed."""
    for i, a, b in case.layers:
        if a.get("class") not in ("LayerNormalization", "GroupNormalization", "RMSNormalization"):
            continue
        ours, theirs = a.get("epsilon"), b.get("eps")
        if ours is not None and theirs is not None and abs(ours - theirs) > 1e-9:
            title = f"{b['class']} epsilon {theirs:.0e} against {ours:.0e}"
            evidence = f"{case.name(i)}: epsilon {ours:g} in Keras, eps {theirs:g} in the port"
            yield case.strength(i, a["class"]), Cause(title, codes.NORM, evidence)


def second_bias(case: Case) -> Iterator[Found]:
    """torch's LSTM has two biases that are added; Keras trains one."""
    after = case.traces[1].after or case.port.final
    for i, (a, b) in enumerate(zip(case.port.initial, after, strict=False)):
        role = "recurrent_bias"
        if role not in a.arrays or role in case.keras.initial[i].arrays:
            continue
        moved = float(np.abs(b.arrays[role] - a.arrays[role]).max(initial=0))
        if moved > 0:
            evidence = f"bias_hh of {a.name} moves by {moved:.1e}; {case.name(i)} has no such bias"
            title = f"two biases of the {a.kind.upper()} are trained, Keras has one"
            yield CONFIRMED, Cause(title, codes.LSTM, evidence)
