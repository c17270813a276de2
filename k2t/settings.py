"""What k2t reads from the user's ``pyproject.toml``: the line length."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

LINE_LENGTH = 88


def line_length(script: str) -> int:
    """black's (else ruff's) line length in the ``pyproject.toml`` nearest to a script, else 88."""
    folder = os.path.dirname(os.path.abspath(script))
    while True:
        path = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(path):
            return configured(path)
        parent = os.path.dirname(folder)
        if parent == folder:
            return LINE_LENGTH
        folder = parent


@cache
def configured(path: str) -> int:
    import tomllib

    try:
        with open(path, "rb") as file:
            tools: Any = tomllib.load(file).get("tool", {})
    except (OSError, ValueError):  # for the tools it belongs to to complain about
        return LINE_LENGTH
    for tool in ("black", "ruff"):
        section = tools.get(tool, {}) if isinstance(tools, dict) else {}
        for key in ("line-length", "line_length"):
            value = section.get(key) if isinstance(section, dict) else None
            if type(value) is int and value > 0:
                return value
    return LINE_LENGTH
