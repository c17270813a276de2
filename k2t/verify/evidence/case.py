"""What a test for a cause looks at, and how much speaks for what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from k2t.verify.compare import FitReport
from k2t.verify.evidence import numbers as h
from k2t.verify.recording import Fit, Point, Trace
from k2t.verify.result import Cause, Divergence

CONFIRMED, HERE, ELSEWHERE = 3, 2, 1  # how much speaks for a cause
AGREES = 1e-4  # relative: losses and statistics that agree, whatever else differs

Found = tuple[int, Cause]


@dataclass(frozen=True)
class Case:
    """One fit on both sides: what a test may look at. text: of the port."""

    keras: Fit
    port: Fit
    report: FitReport
    divergence: Divergence
    text: str

    @property
    def traces(self) -> tuple[Trace, Trace]:
        return self.keras.trace or Trace(), self.port.trace or Trace()

    @property
    def points(self) -> list[tuple[Point, Point]]:
        keras, port = self.traces
        return list(h.partners(keras.points, port.points))

    @property
    def layers(self) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
        """(entry, settings in Keras, settings in the port)."""
        pairs = zip(self.keras.facts.layers, self.port.facts.layers, strict=False)
        return [(number, a, b) for number, (a, b) in enumerate(pairs)]

    def settings(self, point: Point) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the layer called: in Keras, in the port; empty where they are not known."""
        known = {number: (a, b) for number, a, b in self.layers}
        return ({}, {}) if point.entry is None else known.get(point.entry, ({}, {}))

    def name(self, entry: int) -> str:
        """The Keras layer of an entry: as it was called, for the entry of an LSTM is its cell's."""
        called = (p.name for p in self.traces[0].points if p.entry == entry)
        return next(called, self.keras.initial[entry].name)

    def strength(self, entry: int, kind: str) -> int:
        """HERE if the programs part at this layer, or after layers of its class."""
        names = {self.name(entry), self.keras.initial[entry].name}
        first = self.divergence.layer.split(" ")[0]
        return HERE if first in names or kind in self.divergence.between else ELSEWHERE


def percent(sides: Sequence[Any], hypothesis: Any) -> str:
    share = 100 * h.explained(sides, hypothesis)
    return f"explains {min(share, 99.99):.4g} % of the difference"
