"""Makes packages look as if they were not installed, in this process only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Without:
    """A finder that does not find some packages, nor what is inside them.

    A finder that raises would be simpler, but libraries ask `find_spec` whether TensorFlow is there
    (torch does at import) and expect None, not an exception.
    """

    def __init__(self, finder: Any, packages: frozenset[str]) -> None:
        self.finder, self.packages = finder, packages

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.split(".")[0] in self.packages or not hasattr(self.finder, "find_spec"):
            return None
        found: ModuleSpec | None = self.finder.find_spec(name, path, target)
        return found

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.finder, attribute)


def block(*packages: str) -> None:
    """Every later import of one of `packages` raises ModuleNotFoundError, whatever is installed."""
    names = frozenset(packages)
    sys.meta_path[:] = [_Without(finder, names) for finder in sys.meta_path]
    for name in [name for name in sys.modules if name.split(".")[0] in names]:
        del sys.modules[name]
