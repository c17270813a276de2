"""Prints the public names of the modules of Keras, as JSON (imports Keras)."""

from __future__ import annotations

import importlib
import json
import sys


def public(module: str) -> list[str]:
    """The classes and functions that a module of Keras offers."""
    found = importlib.import_module(module)
    return [n for n in dir(found) if not n.startswith("_") and callable(getattr(found, n))]


if __name__ == "__main__":
    print(json.dumps({module: public(module) for module in sys.argv[1:]}))
