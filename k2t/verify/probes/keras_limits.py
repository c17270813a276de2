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


def shorten(arguments: dict[str, Any], most: int) -> None:
    """The same for `fit_generator`, which cannot be told a batch size: fewer rows, or steps."""
    data = arguments.get("validation_data")
    if not most or data is None or validation(arguments) <= most:
        return
    parts = list(leaves(data).values())
    if isinstance(data, list | tuple) and all(hasattr(part, "shape") for part in parts):
        arguments["validation_data"] = tuple(cut(part, 32 * most) for part in data)
    else:
        arguments["validation_steps"] = min(arguments.get("validation_steps") or most, most)


def cut(value: Any, rows: int) -> Any:
    """The first rows of an array, or of those in a list or dict."""
    if isinstance(value, dict):
        return {key: cut(part, rows) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(cut(part, rows) for part in value)
    return value[:rows]
