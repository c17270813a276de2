"""Compares what two models did in their first step: outputs, layer by layer, gradients, weights."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from k2t.verify.recording import Entry, Fit, Point

CHANNEL_AXIS = 1  # of torch's images
ROUNDING = 1e-5  # of a layer's largest gradient: what is smaller may be rounding alone


@dataclass(frozen=True)
class LayerDifference:
    """One place where both models were looked at, relative to the largest value there.

    name, kind: of the Keras layer. side: "input" or "output" (before its activation). between:
    classes of the Keras layers that have computed since the last such place.
    """

    name: str
    kind: str
    side: str
    difference: float
    between: tuple[str, ...]


@dataclass(frozen=True)
class TraceReport:
    """Differences in the first step. gradients, update: by parameter, in the order of the layers.

    output: of what the model gives in eval mode, None if it could not be had. note: how it was
    compared. gradients are relative to the largest gradient of the same layer, `update` (weights
    after the first step) to the largest change of the same layer. problem: what could not be seen.
    """

    output: float | None = None
    note: str = ""
    layers: tuple[LayerDifference, ...] = ()
    gradients: dict[str, float] = field(default_factory=dict)
    update: dict[str, float] = field(default_factory=dict)
    problem: str = ""


def compare_traces(a: Fit, b: Fit) -> TraceReport | None:
    """Compares b's first step with a's; None if one of them was not looked at."""
    x, y = a.trace, b.trace
    if x is None or y is None:
        return None
    output, note = compare_output(x.output, x.logits, y.output)
    update = compare_update(a.initial, x.after, b.initial, y.after)
    return TraceReport(
        output=output,
        note=note,
        layers=tuple(compare_points(x.points, y.points)),
        gradients=compare_entries(x.gradients, y.gradients),
        update={name: size for name, size in update.items() if name not in idle(x.gradients)},
        problem=x.problem or y.problem,
    )


def compare_output(
    a: dict[str, Any], logits: dict[str, Any], b: dict[str, Any]
) -> tuple[float | None, str]:
    """A port may give logits where Keras gives what its last activation makes of them."""
    if not a or not b:
        return None, ""
    if len(a) != len(b):
        return math.inf, f"{len(a)} and {len(b)} outputs"
    direct = worst_of(a, b)
    raw = worst_of(logits, b) if len(logits) == len(b) else math.inf
    if raw < direct:
        return raw, "the port gives logits: Keras's are compared before their activation"
    return direct, ""


def worst_of(a: dict[str, Any], b: dict[str, Any]) -> float:
    pairs = zip(a.values(), b.values(), strict=True)
    return max((difference(x, aligned(x, y)) for x, y in pairs), default=0.0)


def compare_points(a: list[Point], b: list[Point]) -> list[LayerDifference]:
    """Goes along Keras's layers and compares wherever a layer with weights has its partner."""
    partners: dict[int, list[Point]] = defaultdict(list)
    for point in b:
        if point.entry is not None:
            partners[point.entry].append(point)
    found: list[LayerDifference] = []
    since: list[str] = []
    for point in a:
        queue = partners[point.entry] if point.entry is not None else []
        other = nearest(point, queue)
        queue[:] = [p for p in queue if p is not other]
        if other is not None and rows_moved(point, other):
            other = None
        if other is not None:
            found += at(point, "input", point.input, other.input, since)
        since.append(point.kind)
        if other is not None and point.output is not None:
            found += at(point, "output", point.output, other.output, since)
    return found


def nearest(point: Point, others: list[Point]) -> Point | None:
    """The call of the same layer that was given most nearly the same, the first of equals.

    Keras goes through a graph by depth, so a shared layer's calls may come in another order.
    """

    def distance(other: Point) -> float:
        turned = aligned(point.input, other.input)
        return difference(point.input, turned) if turned is not None else math.inf

    return min(others, key=distance) if len(others) > 1 else next(iter(others), None)


def rows_moved(point: Point, other: Point) -> bool:
    """Whether an embedding was given the same tokens in another order: padding moved to the end."""
    x, y = point.input, other.input
    if point.kind != "Embedding" or x is None or y is None or x.shape != y.shape or x.ndim < 2:
        return False
    return not np.array_equal(x, y) and np.array_equal(np.sort(x, 1), np.sort(y, 1))


def at(point: Point, side: str, x: Any, y: Any, since: list[str]) -> list[LayerDifference]:
    """The difference at one place, if the arrays can be laid over each other; empties `since`."""
    turned = aligned(x, y)
    if turned is None:
        return []
    between = tuple(since)
    since.clear()
    return [LayerDifference(point.name, point.kind, side, difference(x, turned), between)]


def aligned(a: Any, b: Any) -> Any:
    """b with the axes of a: as it is, with its channels last, or with axes folded; None if not."""
    if a is None or b is None or a.size != b.size:
        return None
    if a.shape == b.shape:
        return b
    if b.ndim > 2 and np.moveaxis(b, CHANNEL_AXIS, -1).shape == a.shape:
        return np.moveaxis(b, CHANNEL_AXIS, -1)
    # TimeDistributed folds steps into the batch; a unit axis may be there or not
    folded = a.ndim and b.ndim and (a.shape[-1] == b.shape[-1] or 1 in (a.shape[-1], b.shape[-1]))
    return b.reshape(a.shape) if folded else None


def difference(a: Any, b: Any) -> float:
    """Largest absolute difference relative to a's largest value; infinite if nothing fits."""
    if b is None:
        return math.inf
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if not a.size:
        return 0.0
    worst = float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12))
    return math.inf if math.isnan(worst) else worst


def largest(a: Any) -> float:
    return float(np.abs(a).max(initial=0.0))


def compare_entries(a: list[Entry], b: list[Entry]) -> dict[str, float]:
    """By "layer role": differences relative to the layer's largest value, of all its roles.

    A bias in front of a BatchNormalization has a gradient of nothing but rounding: relative to
    itself it would differ by 100 %. NaN stands for an array that is missing; one that only one side
    has is zero on the other.
    """
    found = {}
    for x, y in zip(a, b, strict=False):
        roles = [r for r in {**x.arrays, **y.arrays} if not r.startswith("moving")]
        pairs = {r: (present(x.arrays.get(r)), present(y.arrays.get(r))) for r in roles}
        scale = max((largest(p) for p, _ in pairs.values() if p is not None), default=0.0)
        for role, (p, q) in pairs.items():
            zero = 0.0 * (q if p is None else p) if p is not None or q is not None else None
            if zero is not None:
                apart = largest((zero if p is None else p) - (zero if q is None else q))
                found[f"{x.name} {role}"] = apart / max(scale, 1e-30) if apart else 0.0
    return found


def present(array: Any) -> Any:
    return None if array is None or np.isnan(array).all() else array.astype("float64")


def compare_update(
    a: list[Entry], after_a: list[Entry], b: list[Entry], after_b: list[Entry]
) -> dict[str, float]:
    """How far the first step's changes of the weights are apart."""

    def change(before: list[Entry], after: list[Entry]) -> list[Entry]:
        return [
            Entry(x.kind, x.name, {role: y.arrays[role] - x.arrays[role] for role in x.arrays})
            for x, y in zip(before, after, strict=True)
        ]

    if not after_a or not after_b:
        return {}
    return compare_entries(change(a, after_a), change(b, after_b))


def idle(gradients: list[Entry]) -> set[str]:
    """Parameters with a gradient of rounding alone, as a bias in front of a BatchNormalization.

    Adam divides it by its own size: the first step moves such a parameter as far as any other.
    """
    return {
        f"{entry.name} {role}"
        for entry in gradients
        for role, array in entry.arrays.items()
        if largest(array) < ROUNDING * max(largest(other) for other in entry.arrays.values())
    }


def worst_trace(reports: list[TraceReport]) -> TraceReport | None:
    """The largest differences of several runs of the same scripts."""
    if not reports:
        return None
    first = reports[0]
    layers = zip(*(report.layers for report in reports), strict=False)
    worst = [max(places, key=lambda place: place.difference) for places in layers]
    outputs = [report.output for report in reports if report.output is not None]
    return TraceReport(
        output=max(outputs, default=None),
        layers=tuple(worst),
        gradients={n: max(r.gradients.get(n, 0.0) for r in reports) for n in first.gradients},
        update={n: max(r.update.get(n, 0.0) for r in reports) for n in first.update},
    )
