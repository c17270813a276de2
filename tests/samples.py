"""Whether two samples are of one distribution, by Kolmogorov and Smirnov's test."""

from __future__ import annotations

from typing import Any

import numpy as np

RISK = 0.01
"""How seldom the test may part two samples of one distribution."""


def distance(a: Any, b: Any) -> float:
    """The largest gap between the two cumulative distributions."""
    a, b = np.sort(a, axis=None), np.sort(b, axis=None)
    both = np.concatenate([a, b])
    cumulative = [np.searchsorted(x, both, side="right") / len(x) for x in (a, b)]
    return float(np.abs(cumulative[0] - cumulative[1]).max())


def probability(a: Any, b: Any) -> float:
    """Of a gap as large as that of these two, or larger, if one distribution has made both.

    Kolmogorov's series, which holds for large samples.
    """
    size = a.size * b.size / (a.size + b.size)
    k = np.arange(1, 101)
    terms = (-1.0) ** (k - 1) * np.exp(-2 * (k * distance(a, b)) ** 2 * size)
    return float(np.clip(2 * terms.sum(), 0, 1))
