"""Stand-ins for the data sets of `tensorflow_datasets`, whether or not the package is installed."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from k2t.verify.probes.child import Array
from k2t.verify.standins.synthetic_arrays import IMAGES, TEST, TRAIN, images, sentences, whole
from k2t.verify.standins.synthetic_files import NoStandIn

PART = re.compile(r"(\w+)(?:\[(\d*%?):(\d*%?)\])?")


def install() -> None:
    """Makes `load` of tensorflow_datasets serve the stand-ins; without the package there is one
    with `load`, `as_numpy` and `disable_progress_bar` only."""
    if importlib.util.find_spec("tensorflow_datasets") is None:
        package: Any = ModuleType("tensorflow_datasets")
        package.__path__ = []
        package.as_numpy = lambda data: data.as_numpy_iterator()
        package.disable_progress_bar = lambda: None
        sys.modules["tensorflow_datasets"] = package
    else:
        package = importlib.import_module("tensorflow_datasets")
    package.load = load


def parts(name: str) -> tuple[str, Mapping[str, tuple[Array, Array]], int]:
    """(name of the features, (features, labels) by split, number of classes). Raises NoStandIn."""
    short = name.split("/")[0].split(":")[0]
    if short in IMAGES:
        shape, classes, _ = IMAGES[short]
        sides = [
            (x if len(shape) == 3 else x[..., None], y.astype("int64")) for x, y in images(short)
        ]
        return "image", dict(zip(("train", "test"), sides, strict=True)), classes
    if short == "imdb_reviews":
        texts, y = sentences(2, 4, TRAIN + TEST)
        sides = list(whole("imdb", np.array(texts, dtype=object), y))
        return "text", dict(zip(("train", "test"), sides, strict=True)), 2
    raise NoStandIn(f"the data set {name} of tensorflow_datasets")


def load(
    name: str,
    *,
    split: Any = None,
    data_dir: Any = None,
    batch_size: int | None = None,
    shuffle_files: bool = False,
    download: bool = True,
    as_supervised: bool = False,
    with_info: bool = False,
    **kwargs: Any,
) -> Any:
    """`tfds.load`: tf.data data sets of (features, label), or of dicts; `with_info` a minimal one.

    Splits may be sliced and added ("train[:80%]", "train+test"). Raises NoStandIn.
    """
    feature, splits, classes = parts(name)

    def chosen(text: str) -> Any:
        found = None
        for part in text.split("+"):
            data = one(feature, splits, part.strip(), as_supervised)
            found = data if found is None else found.concatenate(data)
        assert found is not None
        if batch_size is None:
            return found
        return found.batch(
            sum(len(y) for _, y in splits.values()) if batch_size < 0 else batch_size
        )

    def all_of(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: all_of(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(all_of(part) for part in value)
        return chosen(str(value))

    data = all_of({key: key for key in splits} if split is None else split)
    return (data, information(name, splits, classes)) if with_info else data


def one(feature: str, splits: Mapping[str, tuple[Array, Array]], part: str, pairs: bool) -> Any:
    """The data set of one part of a split, such as "train[:80%]"."""
    import tensorflow as tf  # type: ignore[import-untyped]

    found = PART.fullmatch(part)
    if found is None or found[1] not in splits:
        raise ValueError(f"unknown split {part!r}, there are {list(splits)}")
    x, y = splits[found[1]]
    first, last = (place(found[i], len(y)) for i in (2, 3))
    x, y = x[first or 0 : last], y[first or 0 : last]
    texts = x.tolist() if x.dtype == object else x
    return tf.data.Dataset.from_tensor_slices((texts, y) if pairs else {feature: texts, "label": y})


def place(text: str | None, n: int) -> int | None:
    """A border of a slice in rows: "80%" or "200"; None where there is none."""
    if not text:
        return None
    return int(n * int(text[:-1]) / 100 + 0.5) if text.endswith("%") else int(text)


def information(name: str, splits: Mapping[str, tuple[Array, Array]], classes: int) -> Any:
    """What scripts read of DatasetInfo: number of classes, their names, number of rows."""
    label = SimpleNamespace(
        num_classes=classes, names=[str(i) for i in range(classes)], int2str=str
    )
    return SimpleNamespace(
        name=name,
        features={"label": label},
        splits={key: SimpleNamespace(num_examples=len(y)) for key, (_, y) in splits.items()},
    )
