"""Compares two recordings: numbers only, no framework, no judgement."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from k2t.verify.recording import NEUTRAL, Entry, Fit, Output, Recording
from k2t.verify.traces import TraceReport, compare_traces, worst_trace

FIRST = 10  # steps that must agree at the floor
RISK = 1e-3  # of calling equal distributions different, over all weights of a model


@dataclass(frozen=True)
class FitReport:
    """Differences in one call of fit; relative ones are to the first recording's values.

    losses: relative difference of each common step. metrics: largest relative difference of an
    epoch's value; running: of its value after any step. missing: names of epoch values that only
    the first has; extra: only the second. weights: largest absolute difference of a final weight,
    found in `worst_weight`. layers, values: how many have weights, and how many these are. trace:
    the first step, looked at closely.
    """

    steps: tuple[int, int]
    epochs: tuple[int, int]
    sizes_differ_at: int | None
    losses: tuple[float, ...]
    metrics: dict[str, float]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    weights: float
    worst_weight: str
    layers: int = 0
    values: int = 0
    running: dict[str, float] = field(default_factory=dict)
    trace: TraceReport | None = None

    @property
    def first_ten(self) -> float:
        return max(self.losses[:FIRST], default=0.0)

    @property
    def overall(self) -> float:
        return max(self.losses, default=0.0)


@dataclass(frozen=True)
class OutputReport:
    """What one call of evaluate or predict returned: the largest difference, or what does not fit.

    difference: absolute, relative to the largest value of each array.
    """

    call: str
    difference: float
    problem: str = ""


@dataclass(frozen=True)
class DrawReport:
    """Fresh initial values of one weight: std of the second over the first, means, largest values.

    distance: Kolmogorov-Smirnov's; limit: what chance exceeds once in 1/RISK models. A weight that
    is not drawn has distance 0 or 1: equal or not.
    """

    name: str
    std_ratio: float
    means: tuple[float, float]
    bounds: tuple[float, float]
    distance: float
    limit: float

    @property
    def same(self) -> bool:
        return self.distance <= self.limit


@dataclass(frozen=True)
class Report:
    """All differences between two recordings. problems: calls that have no partner, by kind."""

    fits: tuple[FitReport, ...]
    outputs: tuple[OutputReport, ...]
    draws: tuple[DrawReport, ...]
    variables: dict[str, float]
    problems: dict[str, str]

    @property
    def first_ten(self) -> float:
        return max((fit.first_ten for fit in self.fits), default=0.0)

    @property
    def overall(self) -> float:
        return max((fit.overall for fit in self.fits), default=0.0)

    @property
    def metrics(self) -> dict[str, float]:
        """The largest difference of an epoch's value over all fits, by name."""
        return _largest(pair for fit in self.fits for pair in fit.metrics.items())

    @property
    def weights(self) -> float:
        return max((fit.weights for fit in self.fits), default=0.0)


def compare(a: Recording, b: Recording) -> Report:
    """Compares b with a: fits in order of the calls, evaluate and predict each in theirs."""
    problems = {}
    x, y = ([fit.model for fit in side.fits] for side in (a, b))
    if x != y:
        problems["fit"] = f"models fitted, by number: {x} and {y}"
    outputs = []
    for call in ("evaluate", "predict"):
        p, q = ([o for o in side.outputs if o.call == call] for side in (a, b))
        if len(p) != len(q):
            problems[call] = f"{len(p)} and {len(q)} calls"
        outputs += [compare_outputs(*pair) for pair in zip(p, q, strict=False)]
    variables = {
        name: relative(value, b.variables[name])
        for name, value in a.variables.items()
        if name in b.variables
    }
    return Report(
        fits=tuple(compare_fits(*pair) for pair in zip(a.fits, b.fits, strict=False)),
        outputs=tuple(outputs),
        draws=tuple(compare_draws(a.draws, b.draws)),
        variables=variables,
        problems=problems,
    )


def compare_fits(a: Fit, b: Fit) -> FitReport:
    n, epochs = min(len(a.losses), len(b.losses)), min(len(a.epochs), len(b.epochs))
    x, y = (np.array(side.losses[:n]) for side in (a, b))
    # a loss that has all but vanished is measured by a thousandth of where it came from
    scale = np.maximum(np.abs(x), 1e-3 * np.abs(x).max(initial=1e-9))
    losses = np.nan_to_num(np.abs(x - y) / scale, nan=math.inf)
    names = [set().union(*side.epochs) if side.epochs else set() for side in (a, b)]
    metrics = {
        name: max(
            (_share(i[name], j[name]) for i, j in zip(a.epochs, b.epochs, strict=False)),
            default=0.0,
        )
        for name in sorted(names[0] & names[1])
        if all(name in logs for side in (a, b) for logs in side.epochs[:epochs])
    }
    difference, worst = compare_weights(a.final, b.final)
    sizes = [i for i, (p, q) in enumerate(zip(a.sizes, b.sizes, strict=False)) if p != q]
    return FitReport(
        steps=(len(a.losses), len(b.losses)),
        epochs=(len(a.epochs), len(b.epochs)),
        sizes_differ_at=sizes[0] if sizes else None,
        losses=tuple(losses.tolist()),
        metrics=metrics,
        missing=tuple(sorted(names[0] - names[1])),
        extra=tuple(sorted(names[1] - names[0])),
        weights=difference,
        worst_weight=worst,
        layers=len(a.initial),
        values=sum(array.size for entry in a.initial for array in entry.arrays.values()),
        running=compare_running(a, b),
        trace=compare_traces(a, b),
    )


def compare_running(a: Fit, b: Fit) -> dict[str, float]:
    """The largest difference of a metric's value after any step, by name."""
    found: dict[str, float] = {}
    for x, y in zip(a.running, b.running, strict=False):
        for name in x.keys() & y.keys():
            found[name] = max(found.get(name, 0.0), _share(x[name], y[name]))
    return dict(sorted(found.items()))


def _share(x: float, y: float) -> float:
    return 0.0 if x == y else abs(x - y) / max(abs(x), 1e-12)


def compare_weights(a: list[Entry], b: list[Entry]) -> tuple[float, str]:
    """(largest absolute difference, the name of the weight). Absent roles count as neutral."""
    difference, worst = 0.0, ""
    for x, y in zip(a, b, strict=True):
        for role in x.arrays.keys() | y.arrays.keys():
            neutral = np.float32(NEUTRAL.get(role, math.nan))
            values = [side.arrays.get(role, neutral) for side in (x, y)]
            here = float(np.abs(values[0] - values[1]).max(initial=0.0))
            if not here <= difference:
                difference, worst = here, f"{x.name} {role}"
    return difference, worst


def relative(a: Any, b: Any) -> float:
    """Largest absolute difference over the largest absolute value; infinite if shapes differ."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if a.shape != b.shape:
        return math.inf
    if not a.size:
        return 0.0
    worst = float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12))
    return math.inf if math.isnan(worst) and not np.array_equal(a, b, equal_nan=True) else worst


def compare_outputs(a: Output, b: Output) -> OutputReport:
    """By name where both have names, else by position: `evaluate` of Keras may return a list,
    Lightning returns a dict in the order of logging."""
    x, y = list(a.values.values()), list(b.values.values())
    if a.values.keys() == b.values.keys():
        y = [b.values[name] for name in a.values]
    if len(x) != len(y):
        return OutputReport(
            a.call, math.inf, f"{len(x)} values {list(a.values)}, {len(y)} {list(b.values)}"
        )
    shapes = [(tuple(p.shape), tuple(q.shape)) for p, q in zip(x, y, strict=True)]
    differ = [f"{p} and {q}" for p, q in shapes if p != q]
    if differ:
        return OutputReport(a.call, math.inf, "shapes " + ", ".join(differ))
    return OutputReport(
        a.call, max((relative(p, q) for p, q in zip(x, y, strict=True)), default=0.0)
    )


def compare_draws(a: list[list[Entry]], b: list[list[Entry]]) -> Iterable[DrawReport]:
    for number, (x, y) in enumerate(zip(a, b, strict=False)):
        count = sum(len(entry.arrays) for entry in x)
        for left, right in zip(x, y, strict=True):
            for role, values in left.arrays.items():
                name = f"model {number} {left.name} {role}"
                yield compare_samples(name, values, right.arrays[role], count)


def compare_samples(name: str, a: Any, b: Any, count: int) -> DrawReport:
    """Compares two samples; `count`: how many weights are compared in all."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    spread = float(a.std())
    means, bounds = (float(a.mean()), float(b.mean())), (float(abs(a).max()), float(abs(b).max()))
    ratio = float(b.std()) / spread if spread else (1.0 if not b.std() else math.inf)
    if not spread or not b.std() or (a.shape == b.shape and np.array_equal(a, b)):
        equal = a.min() == b.min() and a.max() == b.max() and (spread == 0) == (b.std() == 0)
        return DrawReport(name, ratio, means, bounds, 0.0 if equal else 1.0, 0.0)
    if a.ndim > 1 or b.ndim > 1:  # constant, but with a pattern, on one side only
        a, b = a.ravel(), b.ravel()
    a, b = np.sort(a), np.sort(b)
    grid = np.concatenate([a, b])
    below = [np.searchsorted(side, grid, side="right") / side.size for side in (a, b)]
    distance = float(np.abs(below[0] - below[1]).max())
    limit = math.sqrt(-math.log(RISK / count / 2) / 2 * (1 / a.size + 1 / b.size))
    return DrawReport(name, ratio, means, bounds, distance, limit)


def worst(reports: Sequence[Report]) -> Report:
    """One report with the largest differences of several runs of the same scripts."""
    fits = [
        replace(
            fits[0],
            steps=max((fit.steps for fit in fits), key=lambda steps: abs(steps[0] - steps[1])),
            losses=tuple(map(max, zip(*(fit.losses for fit in fits), strict=False))),
            metrics=_largest(pair for fit in fits for pair in fit.metrics.items()),
            weights=max(fit.weights for fit in fits),
            running=_largest(pair for fit in fits for pair in fit.running.items()),
            trace=worst_trace([fit.trace for fit in fits if fit.trace is not None]),
        )
        for fits in zip(*(report.fits for report in reports), strict=False)
    ]
    outputs = [
        max(outputs, key=lambda output: output.difference)
        for outputs in zip(*(report.outputs for report in reports), strict=False)
    ]
    return Report(
        fits=tuple(fits),
        outputs=tuple(outputs),
        draws=(),
        variables=_largest(pair for report in reports for pair in report.variables.items()),
        problems={k: v for report in reports for k, v in report.problems.items()},
    )


def _largest(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in pairs:
        found[name] = max(found.get(name, 0.0), value)
    return found
