"""Loss curves as geometry: differences, ticks, paths in a square of 1000 by 1000; no markup.

Axes stretch with the page, so positions are shares of the plot and labels are not part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from k2t.verify.result import Curve

SIDE = 1000  # of the square, in its own units
BAND = 100  # between the plot and zeros, at the bottom, and what is no number, at the top
MOST = 300  # parts of the x axis that are told apart
HUGE = 1e100  # no quotient of float32 numbers gets there: an overflow


@dataclass(frozen=True)
class Tick:
    """at: share of the axis, from the left or from the bottom, in percent."""

    at: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Values to heights. zeros, beyond: whether there is room for 0 and for what is no number."""

    low: float
    high: float
    log: bool
    zeros: bool
    beyond: bool

    def height(self, value: float) -> float:
        """From the bottom, 0 to SIDE."""
        bottom = BAND if self.zeros else 0
        top = SIDE - (BAND if self.beyond else 0)
        if not abs(value) < HUGE:
            return SIDE
        if self.log and value <= 0:
            return 0
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(value)
        return bottom + (top - bottom) * (at - low) / (high - low)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        values = log_ticks(self.low, self.high) if self.log else nice_ticks(self.low, self.high)
        ticks = [Tick(self.height(value) / SIDE * 100, label(value)) for value in values]
        if self.zeros:
            ticks.insert(0, Tick(self.height(0.0) / SIDE * 100, "0"))
        if self.beyond:
            ticks.append(Tick(self.height(math.inf) / SIDE * 100, "inf, nan"))
        return tuple(ticks)


@dataclass(frozen=True)
class Line:
    """A curve. name: what it shows. path: `d` of an SVG path through neighbouring points.

    points: the same for those without neighbours, each a stroke of length 0, which is visible where
    strokes end round. values: as the reader wants to see them, one for each step of the chart.
    """

    name: str
    path: str
    points: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """Lines over one another, the last one on top."""

    scale: Scale
    lines: tuple[Line, ...]
    limit: str = ""  # path of the limits


@dataclass(frozen=True)
class Chart:
    """Two panels over one x axis. steps: those that are drawn; total: how many there are."""

    steps: tuple[int, ...]
    total: int
    places: tuple[float, ...]  # of the steps, in the units of the square
    ticks: tuple[Tick, ...]
    losses: Panel
    differences: Panel
    worst: tuple[int, float] | None  # step and size of the largest difference


def differences(curve: Curve) -> tuple[float, ...]:
    """Relative difference of each common step; infinite where a loss is no number.

    A loss that has all but vanished is measured by a thousandth of the largest one.
    """
    most = max((abs(x) for x in curve.keras if math.isfinite(x)), default=0.0)
    least = 1e-3 * max(most, 1e-9)
    return tuple(
        abs(x - y) / max(abs(x), least) if math.isfinite(x) and math.isfinite(y) else math.inf
        for x, y in zip(curve.keras, curve.torch, strict=False)
    )


def chart(curve: Curve, first: int, early: float, floor: float) -> Chart:
    """Geometry of one fit.

    early: what is allowed in the first `first` steps; floor: what is always allowed later.
    """
    apart = differences(curve)
    total = max(len(curve.keras), len(curve.torch), len(curve.control))
    steps = thin(total, (curve.keras, curve.torch, apart, curve.control))

    def place(step: float) -> float:
        return SIDE * step / (total - 1) if total > 1 else SIDE / 2

    def line(name: str, values: Sequence[float], scale: Scale, form: str) -> Line:
        points = [(place(s), scale, values[s]) for s in steps if s < len(values)]
        shown = [format(values[s], form) if s < len(values) else "" for s in steps]
        return Line(name, *paths(points), tuple(shown))

    loss = loss_scale((*curve.keras, *curve.torch))
    size = difference_scale((*apart, *curve.control), (early, floor))
    sides = (line("Keras", curve.keras, loss, "#.6g"), line("PyTorch", curve.torch, loss, "#.6g"))
    sizes = [line("difference", apart, size, ".1e")]
    if curve.control:
        sizes.insert(0, line("control", curve.control, size, ".1e"))
    turn = place(first - 0.5) if total > first else SIDE
    limits = [f"M0 {_down(size.height(early))}H{turn:.5g}"]
    if total > first:
        limits.append(f"M{turn:.5g} {_down(size.height(floor))}H{SIDE}")
    where = max(range(len(apart)), key=apart.__getitem__, default=None)
    return Chart(
        steps=steps,
        total=total,
        places=tuple(round(place(step), 1) for step in steps),
        ticks=tuple(Tick(place(s) / SIDE * 100, str(s)) for s in step_ticks(total)),
        losses=Panel(loss, sides),
        differences=Panel(size, tuple(sizes), "".join(limits)),
        worst=None if where is None else (where, apart[where]),
    )


def thin(total: int, series: Iterable[Sequence[float]]) -> tuple[int, ...]:
    """Steps to draw: all, or of each of MOST parts those where a series is largest or smallest."""
    if total <= 2 * MOST:
        return tuple(range(total))
    kept = {0, total - 1}
    for values in series:
        for part in range(MOST):
            inside = range(part * total // MOST, (part + 1) * total // MOST)
            known = [step for step in inside if step < len(values)]
            numbers = [step for step in known if abs(values[step]) < HUGE]
            if numbers:
                kept |= {pick(numbers, key=values.__getitem__) for pick in (min, max)}
            if len(numbers) < len(known):
                kept.add(next(step for step in known if not abs(values[step]) < HUGE))
    return tuple(sorted(kept))


def paths(points: Iterable[tuple[float, Scale, float]]) -> tuple[str, str]:
    """Connects neighbours that have a place on the axis; zeros and what is no number stay alone."""
    runs: list[list[str]] = []
    connected = False
    for x, scale, value in points:
        there = abs(value) < HUGE and not (scale.log and value <= 0)
        if not (there and connected):
            runs.append([])
        runs[-1].append(f"{x:.5g} {_down(scale.height(value))}")
        connected = there
    joined = "".join("M" + "L".join(run) for run in runs if len(run) > 1)
    return joined, "".join(f"M{run[0]}h0" for run in runs if len(run) == 1)


def loss_scale(values: Sequence[float]) -> Scale:
    """Logarithmic if the losses span two decades, else linear, from 0 if that is near."""
    known = [value for value in values if abs(value) < HUGE]
    beyond = len(known) < len(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    if low > 0 and high / low >= 100:
        return Scale(low * 0.8, high * 1.25, True, False, beyond)
    margin = 0.06 * (high - low)
    if not margin > 1e-9 * abs(high):
        margin = 0.05 * abs(high) or 1.0
    near = 0 <= low < high / 3
    return Scale(0.0 if near else low - margin, high + margin, False, False, beyond)


def difference_scale(values: Sequence[float], limits: Sequence[float]) -> Scale:
    """Logarithmic, whole decades around the values and the limits."""
    known = [value for value in (*values, *limits) if 1e-300 < value < HUGE]
    low = 10.0 ** math.floor(math.log10(min(known)))
    high = 10.0 ** math.ceil(math.log10(max(known)))
    beyond = any(not value < HUGE for value in values)
    return Scale(low, high, True, any(value == 0 for value in values), beyond)


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, seven at most."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    stride = math.ceil((last - first + 1) / 7)
    return [10.0**k for k in range(first, last + 1) if k % stride == 0]


def nice_ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about five."""
    step = nice((high - low) / 5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def step_ticks(total: int) -> list[int]:
    return list(range(0, total, max(1, round(nice((total - 1) / 6)))))


def nice(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten that is not smaller."""
    if step <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9))


def label(value: float) -> str:
    """0.25, 1e-7, 2.5e6."""
    if value == 0 or 1e-2 <= abs(value) < 1e5:
        return f"{value:.10g}"
    digits, _, exponent = f"{value:.9e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"


def _down(height: float) -> str:
    """SVG counts from the top."""
    return f"{SIDE - height:.5g}"
