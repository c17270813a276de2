"""What both probes share: running the script, fixed noise, turning values into plain ones."""

from __future__ import annotations

import argparse
import importlib.util
import random
import resource
import runpy
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from k2t.verify.recording import Recording
from k2t.verify.surroundings import protect

START = time.perf_counter()
Array = np.ndarray[Any, np.dtype[Any]]
NUMERIC = (bool, int, float, np.generic, np.ndarray, list, tuple)
SIMPLE = (bool, int, float, str)
LARGEST = 5_000_000  # numbers: bigger variables of a script are not recorded


class EnoughSteps(BaseException):
    """Ends a script whose own loop has taken the steps that were asked for."""


@dataclass(frozen=True)
class Options:
    """What a probe is told. steps, epochs: the most that a fit takes, 0 for all.

    draws: how often initial values are drawn. trace: look closely at first steps. batches: keep
    what each step is given. progress: a file that always holds the number of steps done. argument:
    of the script's command line.
    """

    script: str
    out: Path
    stubs: tuple[str, ...]
    beside: str
    draws: int
    steps: int
    epochs: int
    trace: bool
    batches: bool
    progress: Path | None
    argument: tuple[str, ...]

    @classmethod
    def parse(cls, parser: argparse.ArgumentParser) -> tuple[Options, argparse.Namespace]:
        """The options all probes have, and the rest."""
        found = parser.parse_args()
        values = {field.name: getattr(found, field.name) for field in fields(cls)}
        values |= {name: tuple(values[name]) for name in ("stubs", "argument")}
        return cls(**values), found

    def tell(self, steps: int) -> None:
        if self.progress is not None:
            self.progress.write_text(str(steps), encoding="ascii")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("out", type=Path)
    parser.add_argument("--stubs", action="append", default=[])
    parser.add_argument("--beside", default=".")
    parser.add_argument("--draws", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--batches", action="store_true")
    parser.add_argument("--progress", type=Path)
    parser.add_argument("--argument", action="append", default=[])
    return parser


def finish(recording: Recording, options: Options) -> None:
    """Writes the recording, with what it cost to make."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    recording.seconds = time.perf_counter() - START
    recording.memory = usage.ru_maxrss * 1024
    recording.save(options.out)


def prepare() -> None:
    """Gives scripts that do not seed their data the same data in both processes.

    numpy's old names for Python's types, gone since 1.24, are there as when scripts used them.
    """
    for name, kind in (("float", float), ("int", int), ("object", object), ("bool", bool)):
        if name not in vars(np):
            setattr(np, name, kind)
    random.seed(0)
    np.random.seed(0)
    generator = np.random.default_rng

    def seeded(seed: Any = None) -> np.random.Generator:
        return generator(0 if seed is None else seed)

    np.random.default_rng = seeded


def load_file(path: str) -> ModuleType:
    """Imports the module in a file that is on no path."""
    spec = importlib.util.spec_from_file_location("k2t_" + Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_script(options: Options, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs a script as __main__, imports looked up in the folder `beside`; returns its globals.

    given: globals it begins with.
    The files of that folder cannot be written.
    """
    sys.argv = [options.script, *options.argument]
    sys.path.insert(0, options.beside)
    protect(options.beside)
    try:
        return runpy.run_path(options.script, given, run_name="__main__")
    except EnoughSteps:
        return {}
    except SystemExit as error:
        if error.code in (None, 0):  # a script may end itself when its work is done
            return {}
        raise


@contextmanager
def drawn_for(rows: Any) -> Iterator[None]:
    """What numpy draws inside is decided by the rows of a batch; outside nothing changes."""
    state = np.random.get_state()
    np.random.seed(int(rows[0]))
    try:
        yield
    finally:
        np.random.set_state(state)


def fixed_noise(shape: Sequence[int]) -> Array:
    """Numbers that look like N(0, 1) and do not depend on the layout of images.

    Rank 2 and less: by position. Above, one number for each row of the batch, because the same
    image is NHWC on one side and NCHW on the other. Rows repeat after four, so that a prediction
    may be made in batches of any size that is a multiple.
    """
    shape = tuple(int(n) for n in shape)
    size = (4, *shape[1:2]) if len(shape) < 3 else (4,)
    table = np.random.Generator(np.random.PCG64(99)).normal(size=size)
    table = table[np.arange(shape[0] if shape else 1) % 4].reshape(
        shape[:2] if len(shape) < 3 else -1
    )
    if len(shape) > 2:
        table = np.broadcast_to(table.reshape(-1, *[1] * (len(shape) - 1)), shape)
    return np.asarray(table, dtype="float32")


def fixed_draw(shape: Sequence[int]) -> Array:
    """Numbers that look like uniform ones between 0 and 1, as fixed."""
    return np.asarray(np.mod(7.3 * fixed_noise(shape), 1.0), dtype="float32")


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    """The arrays in nested lists and dicts, by a name that tells the place."""
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, list | tuple):
        parts = list(enumerate(value))
    else:
        return {name: value}
    return {
        k: v
        for key, part in parts
        for k, v in leaves(part, f"{name}.{key}" if name else str(key)).items()
    }


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers, names and flat lists of them among the settings of a layer or optimizer."""

    found = {}
    for name, value in settings.items():
        parts = value if isinstance(value, list | tuple) else [value]
        if not name.startswith("_") and all(isinstance(part, SIMPLE) for part in parts):
            found[name] = value if parts[0:1] == [value] else tuple(parts)
    return found


def numeric_globals(
    namespace: Mapping[str, Any], convert: Callable[[Any], Any]
) -> dict[str, Array]:
    """The script's variables that are numbers or arrays; `convert` unwraps a framework's own types.

    Only plain types are looked into: a data set, too, has a length and items, but perhaps no end.
    """
    found = {}
    for name, value in namespace.items():
        if isinstance(value, ModuleType | type):
            continue
        value = convert(value)
        parts = value if type(value) in (dict, defaultdict) else {"": value}
        for key, part in parts.items():
            if name.startswith("__") or not isinstance(part, NUMERIC):
                continue
            try:
                array = np.asarray(part)
            except (ValueError, TypeError, RuntimeError):
                continue  # a ragged list, or one of other things
            if array.dtype.kind in "biuf" and array.size <= LARGEST:
                found[f"{name}[{key}]" if parts is value else name] = array.copy()
    return found


def fresh_sample(draws: list[Array], size: int = 20_000) -> Array:
    """Values out of several draws of one weight; one that is never different stays whole."""
    if all(np.array_equal(draw, draws[0]) for draw in draws[1:]):
        return draws[0]
    values = np.concatenate([draw.ravel() for draw in draws]).astype("float64")
    if values.size > size:
        values = np.random.Generator(np.random.PCG64(0)).choice(values, size, replace=False)
    return values
