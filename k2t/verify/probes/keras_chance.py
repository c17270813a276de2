"""Chance switched off in Keras: dropout is the identity, noise fixed, data sets keep order."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from k2t.verify.probes.child import drawn_for, fixed_draw, fixed_noise

IDENTITY = ("Dropout", "AlphaDropout", *(f"SpatialDropout{n}D" for n in (1, 2, 3)))
IMAGES = ("tf_keras.src.preprocessing.image", "keras.src.legacy.preprocessing.image")
RANDOM_CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell", "ConvLSTMCell", "ConvLSTM2DCell")


def switch_off_dropout(keras: Any) -> None:
    """Makes the Dropout layers the identity and takes `dropout` from recurrent cells."""
    layers = keras.layers

    def identity(self: Any, inputs: Any, training: Any = False) -> Any:
        return inputs

    classes = [getattr(layers, name) for name in IDENTITY if hasattr(layers, name)]
    classes += [
        cls
        for name, cls in vars(layers).items()
        if (name.startswith("Random") or name == "Solarization") and name != "RandomCrop"
    ]
    for cls in classes:
        cls.call = identity  # not of its base, which Resizing has too
    crop: Any = getattr(layers, "RandomCrop", None)
    if hasattr(crop, "get_random_transformation"):  # the first window: the shape is another
        crop.get_random_transformation = lambda self, *args, **kwargs: (0, 0)
    for name in RANDOM_CELLS:
        for place in (layers, *convolutional(layers)):
            if hasattr(place, name):
                without_dropout(getattr(place, name))
                break
    for place in (getattr(keras, "random", None), getattr(keras, "backend", None), _tf_nn()):
        if place is not None and hasattr(place, "dropout"):
            place.dropout = lambda x, *args, **kwargs: x


def convolutional(layers: Any) -> list[Any]:
    """The modules of the convolutional LSTMs, whose cell has no public name in newer Keras."""
    classes = getattr(layers, "ConvLSTM2D", object).__mro__
    return [sys.modules[cls.__module__] for cls in classes if cls.__module__ in sys.modules]


def _tf_nn() -> Any:
    tf = sys.modules.get("tensorflow")
    return getattr(tf, "nn", None)


def without_dropout(cell: Any) -> None:
    init = cell.__init__

    def patched(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.dropout = self.recurrent_dropout = 0.0

    patched.__signature__ = inspect.signature(init)  # type: ignore[attr-defined]
    cell.__init__ = patched


class Starts:
    """Inside of it numbers are drawn by chance: initial values, whose distribution is compared."""

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *error: object) -> None:
        self.depth -= 1


def fix_noise(keras: Any, starts: Starts) -> None:
    """Noise drawn by scripts and by the Gaussian layers becomes fixed numbers."""
    import tensorflow as tf  # type: ignore[import-untyped]

    def drawn(draw: Callable[..., Any], shape: Any) -> Any:
        known = [n if isinstance(n, int) else None for n in _parts(shape)]
        size = tf.cast(tf.stack(shape), tf.int32)
        value = tf.numpy_function(draw, [size], tf.float32)
        value = tf.cast(value, keras.backend.floatx())
        value.set_shape(known)
        return value

    def normal(
        shape: Any, mean: float = 0.0, stddev: float = 1.0, *args: Any, **kwargs: Any
    ) -> Any:
        return mean + stddev * drawn(fixed_noise, shape)

    def uniform(
        shape: Any, minval: float = 0.0, maxval: float = 1.0, *args: Any, **kwargs: Any
    ) -> Any:
        return minval + (maxval - minval) * drawn(fixed_draw, shape)

    def noise(self: Any, inputs: Any, training: Any = False) -> Any:
        if not training:
            return inputs
        value = normal(tf.shape(inputs))
        value.set_shape(inputs.shape)
        if hasattr(self, "stddev"):
            return inputs + self.stddev * value
        return inputs * (1 + (self.rate / (1 - self.rate)) ** 0.5 * value)

    if hasattr(keras.layers.Layer, "train_step") or hasattr(keras.Model, "train_step"):
        for name in ("GaussianNoise", "GaussianDropout"):
            getattr(keras.layers, name).call = noise
        for place, attribute in (
            (getattr(keras, "random", None), "normal"),
            (getattr(keras, "backend", None), "random_normal"),
            (getattr(tf.keras, "backend", None), "random_normal"),
            (tf.random, "normal"),
            (getattr(keras, "random", None), "uniform"),
            (getattr(keras, "backend", None), "random_uniform"),
            (getattr(tf.keras, "backend", None), "random_uniform"),
            (tf.random, "uniform"),
        ):
            if hasattr(place, attribute):
                by_chance = getattr(place, attribute)
                fixed = normal if "normal" in attribute else uniform
                setattr(place, attribute, either(by_chance, fixed, starts))
        add_weight = keras.layers.Layer.add_weight

        @wraps(add_weight)
        def added(*args: Any, **kwargs: Any) -> Any:
            with starts:
                return add_weight(*args, **kwargs)

        keras.layers.Layer.add_weight = added


def either(
    by_chance: Callable[..., Any], fixed: Callable[..., Any], starts: Starts
) -> Callable[..., Any]:
    @wraps(by_chance)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        return (by_chance if starts.depth else fixed)(*args, **kwargs)

    return drawn


def _parts(shape: Any) -> Any:
    return shape if isinstance(shape, list | tuple) else [None] * int(shape.shape[0])


def fix_images(keras: Any) -> None:
    """Iterators of ImageDataGenerator keep the order; what a batch draws is decided by its rows."""
    for name in IMAGES:
        if keras.Model.__module__.startswith(name.split("src.")[0] + "src."):
            module = importlib.import_module(name)
            module.Iterator._set_index_array = keep_rows
            module.NumpyArrayIterator._get_batches_of_transformed_samples = one_at_a_time(
                module.NumpyArrayIterator._get_batches_of_transformed_samples
            )


def keep_rows(self: Any) -> None:
    self.index_array = np.arange(self.n)


def one_at_a_time(make: Callable[..., Any]) -> Callable[..., Any]:
    """Threads that make batches draw from the same generator: they wait for each other."""
    lock = threading.Lock()

    def made(self: Any, rows: Any) -> Any:
        with lock, drawn_for(rows):
            return make(self, rows)

    return made


def draw_nothing(keras: Any) -> None:
    """Pictures of models, which need other packages and which the port does not draw."""
    for place in (keras.utils, sys.modules.get(f"{keras.__name__}.utils")):
        if hasattr(place, "plot_model"):
            place.plot_model = lambda *args, **kwargs: None  # type: ignore[union-attr]


def keep_order() -> None:
    """Shuffled data sets of TensorFlow, if it is loaded, keep their order."""
    tf = sys.modules.get("tensorflow")
    if tf is not None and hasattr(tf.data.Dataset, "shuffle"):
        tf.data.Dataset.shuffle = lambda self, *args, **kwargs: self
