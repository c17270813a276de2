"""A Result as strict JSON: the names and the order are those of the dataclasses in result.py.

What JSON has no number for is a string: "nan", "inf" and "-inf", which Python's `float` turns back;
null is what was not measured. Steps count from 0. Beside the fields stands what follows from them:
`verdict` and `agrees`, and of a curve `difference`, the relative difference of each step.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from k2t.verify.result import Curve, Result, Run
from k2t.verify.views import wording
from k2t.verify.views.curves import differences
from k2t.version import __version__

FORMAT = 1  # one more whenever a name goes or changes its meaning


def document(result: Result) -> dict[str, Any]:
    """The result as dicts, lists, strings, finite numbers and None."""
    return {
        "tool": "k2t verify",
        "version": __version__,
        "format": FORMAT,
        "verdict": wording.verdict(result),
        "agrees": result.agrees,
        **plain(result),
    }


def text(result: Result) -> str:
    """The document, indented, lists of numbers on one line, with a line end."""
    return _dump(document(result), "") + "\n"


def plain(value: Any) -> Any:
    """A dataclass (and what is in it) as JSON's types."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        record = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, Run):
            record["agrees"] = value.agrees
        if isinstance(value, Curve):
            record["difference"] = plain(differences(value))
        return record
    return value


def _dump(value: Any, indent: str) -> str:
    """As json.dumps(indent=2), but 50 000 losses are one line."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        parts = [f"{inner}{json.dumps(key)}: {_dump(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + _dump(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
