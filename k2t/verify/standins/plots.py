"""Lets scripts that draw run without matplotlib and seaborn: a call gives a drawing that is none.

Where the package is installed it is used (with a backend that shows nothing), but a training that
was cut short has fewer epochs than the script's axis: such a line is drawn empty. Labels that are
not as many as their ticks, which matplotlib took until 3.3, are left off.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES = ("matplotlib", "seaborn")


class Nothing(ModuleType):
    """Any attribute, call, index or iteration of it is it again; two of it when unpacked."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Nothing:
        return self

    def __getitem__(self, key: Any) -> Nothing:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Nothing]:
        return iter((self, self))

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *args: Any) -> None:
        return None


class Finder:
    """Finds the packages that are not installed, and everything inside them."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = missing

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.split(".")[0] in self.missing:
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Nothing(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class Forgiving:
    """Lets the installed matplotlib, once imported, draw lines and labels that do not fit."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "matplotlib.axes":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            forgive(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def forgive(axes: ModuleType) -> None:
    axis = sys.modules["matplotlib.axis"].Axis
    axes.Axes.plot = forgiving(axes.Axes.plot, "must have same first dimension")
    axis.set_ticklabels = forgiving(axis.set_ticklabels, "does not match the number of labels", 1)


def forgiving(draw: Any, complaint: str, sequences: int = 2) -> Any:
    """``draw``, called once more with empty sequences where what it was given does not fit."""

    @functools.wraps(draw)
    def draw_or_nothing(drawing: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return draw(drawing, *args, **kwargs)
        except ValueError as error:
            if complaint not in str(error):
                raise
            return draw(drawing, *([[]] * sequences), **kwargs)

    return draw_or_nothing


def install() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    imported = sys.modules.get("matplotlib.axes")  # torchmetrics does
    if imported is None:
        sys.meta_path.insert(0, Forgiving())
    else:
        forgive(imported)
    sys.meta_path.append(Finder(missing))


def install_keras(keras: Any) -> None:
    install()


def install_torch() -> None:
    install()
