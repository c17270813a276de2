"""Causes in the initial values: which of Keras's initialisers a port has left out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from k2t.verify.compare import DrawReport, Report
from k2t.verify.evidence import codes
from k2t.verify.evidence.case import CONFIRMED, HERE, Found
from k2t.verify.evidence.numbers import near
from k2t.verify.recording import Entry, Recording
from k2t.verify.result import Cause

DEFAULT = "initial values: torch's defaults instead of Keras's"
OTHER = "initial values: not drawn as Keras draws them"
FORGET = "forget gate: its bias starts at 1 in Keras"
ORTHOGONAL = "recurrent kernel: orthogonal in Keras"
RECURRENT = ("lstm", "gru", "rnn")


def initial_values(keras: Recording, port: Recording, report: Report) -> Iterator[Found]:
    """One cause for each way in which fresh initial values differ, with the weights concerned."""
    wrong = {draw.name: draw for draw in report.draws if not draw.same}
    seen: dict[str, list[str]] = defaultdict(list)
    for number, (ours, theirs) in enumerate(zip(keras.draws, port.draws, strict=False)):
        shapes = keras.starts[number][1]
        for a, b, start in zip(ours, theirs, shapes, strict=True):
            for role in a.arrays:
                draw = wrong.get(f"model {number} {a.name} {role}")
                if draw is not None:
                    title, why = reason(start, role, b.arrays[role], draw)
                    seen[title].append(f"{a.name} {role}: {why}")
    order = (ORTHOGONAL, FORGET, DEFAULT, OTHER)
    for title in sorted(seen, key=order.index):
        more = len(seen[title]) - 2
        evidence = "; ".join(seen[title][:2]) + (f"; and {more} more" if more > 0 else "")
        code = codes.LSTM if title in (ORTHOGONAL, FORGET) else codes.INITIAL
        yield HERE if title == OTHER else CONFIRMED, Cause(title, code, evidence)


def reason(start: Entry, role: str, port: Any, draw: DrawReport) -> tuple[str, str]:
    """(title, evidence) for one weight. start: the entry as Keras has it, in its true shape."""
    largest = f"largest {draw.bounds[0]:.3g} in Keras, {draw.bounds[1]:.3g} in the port"
    if role == "recurrent_kernel" and is_orthogonal(start.arrays[role]):
        return ORTHOGONAL, f"Keras's rows are orthonormal; {largest}"
    if start.kind == "lstm" and role == "bias" and has_forget_ones(start.arrays[role]):
        return FORGET, f"means {draw.means[0]:.3g} in Keras, {draw.means[1]:.3g} in the port"
    bound = default_bound(start, role)
    spread = float(np.std(np.asarray(port, "float64")))
    if bound and draw.bounds[1] <= bound * 1.001 and abs(spread / bound * 3**0.5 - 1) < 0.25:
        return DEFAULT, f"{largest}, torch's bound is {bound:.3g}"
    if start.kind == "embedding" and abs(spread - 1) < 0.1:
        return DEFAULT, f"std {spread:.3g} in the port, torch's default is 1"
    return OTHER, f"std {draw.std_ratio:.3g} times Keras's, {largest}"


def default_bound(start: Entry, role: str) -> float:
    """The bound of torch's own uniform draws; 0 for what it does not draw so."""
    if start.kind in RECURRENT:
        return 1 / math.sqrt(start.arrays["recurrent_kernel"].shape[0])
    kernel = start.arrays.get("kernel")
    if role not in ("kernel", "bias") or kernel is None:
        return 0.0
    return 1 / math.sqrt(math.prod(kernel.shape[:-1]))


def is_orthogonal(kernel: Any) -> bool:
    """(units, gates * units) with orthonormal rows."""
    return near(np.eye(len(kernel)), kernel @ kernel.T, 1e-3)


def has_forget_ones(bias: Any) -> bool:
    gates = np.split(bias, 4)
    return bool((gates[1] == 1).all()) and not any(gates[i].any() for i in (0, 2, 3))
