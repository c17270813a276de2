"""How many batches a call of fit or evaluate would go through."""

from __future__ import annotations

import math
from typing import Any

from k2t.verify.probes.child import leaves


def batches(data: Any, size: int | None) -> float:
    """How many batches there are; infinitely many where only going through them would tell."""
    if isinstance(data, dict | list | tuple):
        data = next(iter(leaves(data).values()), None)
    if hasattr(data, "shape"):
        return float(math.ceil(int(data.shape[0]) / (size or 32)))
    try:
        return float(len(data))
    except TypeError:
        return math.inf


def validation(arguments: dict[str, Any]) -> float:
    """The number of validation batches of a call of fit."""
    size = arguments.get("validation_batch_size") or arguments.get("batch_size")
    data = arguments.get("validation_data")
    if data is not None:
        whole = isinstance(data, list | tuple) and len(data) in (2, 3)
        return batches(data[0] if whole else data, size)
    share, x = arguments.get("validation_split") or 0.0, arguments.get("x")
    return share * batches(x, size) if share else 0.0


def limit(arguments: dict[str, Any], prefix: str, counted: float, most: int) -> None:
    """An evaluation looks at no more batches than a fit takes steps (`most`, 0: no limit).

    Keras 3.15 divides arrays into as many batches as there are steps, if it is told no batch size.
    """
    if not most or counted <= most:
        return
    arguments[prefix + "steps"] = min(arguments.get(prefix + "steps") or most, most)
    data = leaves(arguments.get(prefix + "data", arguments.get("x")))
    arrays = all(hasattr(part, "shape") or part is None for part in data.values())
    if arrays and not arguments.get(prefix + "batch_size"):
        arguments[prefix + "batch_size"] = arguments.get("batch_size") or 32
