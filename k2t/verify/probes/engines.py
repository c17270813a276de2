"""Which Keras a script runs on: the one place that knows how `import keras` is made to work."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

# modules of the old package whose names are now found one folder up
LEGACY_MODULES = frozenset(
    f".layers.{name}"
    for name in [
        "advanced_activations",
        "convolutional",
        "convolutional_recurrent",
        "core",
        "cudnn_recurrent",
        "embeddings",
        "local",
        "merge",
        "noise",
        "normalization",
        "pooling",
        "recurrent",
        "wrappers",
    ]
) | {".utils.np_utils", ".utils.generic_utils", ".utils.data_utils", ".utils.vis_utils"}


TF_KERAS = ("tf_keras", "old_scripts", "keras2")


def load_engine(name: str) -> Any:
    """Prepares this process for scripts of one Keras and returns its `keras` module.

    name: "keras3"; "tf_keras" (the last Keras 2); "old_scripts" (the same, which takes scripts of
    the standalone package); "keras2" (with its formulas of optimizers, too); or the dotted name or
    the .py file of a module whose `load()` makes `import keras` work and returns the keras module.
    """
    if name == "keras3":
        return importlib.import_module("keras")
    if name in TF_KERAS:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"  # read by tensorflow for tf.keras
        sys.meta_path.insert(0, _Alias("keras", "tf_keras"))
        sys.modules["keras"] = importlib.import_module("tf_keras")
        name_old_modules(sys.modules["keras"])
        accept_lr(sys.modules["keras"].optimizers, always=name == "keras2")
        sys.modules["keras"].Sequential.predict_classes = predict_classes
        if name != "tf_keras":
            float_targets()
            weigh_added_losses()
        return sys.modules["keras"]
    return _module(name).load()


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def name_old_modules(keras: Any) -> None:
    """Makes `from keras.layers import recurrent` find the module that holds its classes now."""
    for name in LEGACY_MODULES:
        _, folder, module = name.split(".")
        place = getattr(keras, folder)
        if not hasattr(place, module):
            setattr(place, module, place)


def accept_lr(optimizers: Any, always: bool = False) -> None:
    """Optimizers as when the scripts were written: `lr=`, which tf-keras 2.21 ignores, `decay=`,
    which it refuses, and the lower-case names of standalone Keras (`optimizers.rmsprop`).

    Up to TensorFlow 2.10 RMSprop and Nadam had other formulas, which a call with these arguments
    gets; always: each call does.
    """
    for name in ("RMSprop", "Nadam"):
        cls = getattr(optimizers, name)
        cls.__new__ = _in_its_time(cls, getattr(optimizers.legacy, name), always)
    for name, cls in list(vars(optimizers).items()):
        if isinstance(cls, type) and issubclass(cls, optimizers.Optimizer):
            cls.__init__ = _with_lr(  # type: ignore[misc]
                cls.__init__,  # type: ignore[misc]
                optimizers.schedules.InverseTimeDecay,
            )
            if not hasattr(optimizers, name.lower()):
                setattr(optimizers, name.lower(), cls)


def _in_its_time(cls: Any, legacy: Any, always: bool) -> Any:
    def made(kind: Any, *args: Any, **kwargs: Any) -> Any:
        if kind is cls and (always or {"lr", "decay", "schedule_decay"} & kwargs.keys()):
            return legacy(*args, **kwargs)
        return object.__new__(kind)

    return made


def float_targets() -> None:
    """Targets of integers become floats, as the placeholders of Keras up to 2.3 made them: losses
    and metrics that are functions of the script rely on it."""
    utils: Any = importlib.import_module("tf_keras.src.engine.compile_utils")
    match = utils.match_dtype_and_rank

    def matched(y_true: Any, y_pred: Any, weights: Any) -> Any:
        y_true, y_pred, weights = match(y_true, y_pred, weights)
        if y_true.dtype.is_integer and y_pred.dtype.is_floating:
            cast = importlib.import_module("tensorflow").cast
            y_true = cast(y_true, y_pred.dtype)
        return y_true, y_pred, weights

    utils.match_dtype_and_rank = matched


def weigh_added_losses() -> None:
    """The mean loss of a model that has only added ones weighs batches by their rows, as up to
    Keras 2.3; tf-keras finds these in targets, and such a model has none."""
    container: Any = importlib.import_module("tf_keras.src.engine.compile_utils").LossesContainer
    call = container.__call__

    def called(self: Any, y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
        if self._user_losses is not None:
            return call(self, y_true, y_pred, *args, **kwargs)
        tf: Any = importlib.import_module("tensorflow")
        rows = tf.shape(tf.nest.flatten(y_pred)[0])[0]
        mean = self._total_loss_mean
        update = mean.update_state
        mean.update_state = lambda value, sample_weight=None: update(value, sample_weight=rows)
        try:
            return call(self, y_true, y_pred, *args, **kwargs)
        finally:
            mean.update_state = update

    container.__call__ = called


def predict_classes(model: Any, x: Any, batch_size: Any = None, verbose: int = 0) -> Any:
    """What Sequential had until TensorFlow 2.6: the class of each row's prediction."""
    found = model.predict(x, batch_size=batch_size, verbose=verbose)
    return found.argmax(axis=-1) if found.shape[-1] > 1 else (found > 0.5).astype("int32")


def _with_lr(init: Any, inverse_time: Any) -> Any:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        if "lr" in kwargs:
            kwargs["learning_rate"] = kwargs.pop("lr")
        decay = kwargs.pop("decay", 0.0)
        if decay:
            given = signature.bind_partial(self, *args, **kwargs)
            given.apply_defaults()
            given.arguments["learning_rate"] = inverse_time(
                given.arguments["learning_rate"], 1, decay
            )
            args, kwargs = given.args[1:], given.kwargs
        init(self, *args, **kwargs)

    return wrapped


class _Alias:
    """Finds `alias.rest` where `real.rest` is, as the very same module."""

    def __init__(self, alias: str, real: str) -> None:
        self.alias, self.real = alias, real

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.startswith(self.alias + "."):
            return ModuleSpec(name, self)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        below = spec.name[len(self.alias) :]
        try:
            module = importlib.import_module(self.real + below)
        except ModuleNotFoundError:
            if below not in LEGACY_MODULES:
                raise
            module = importlib.import_module(self.real + below.rpartition(".")[0])
        # the import system is about to write the alias's spec into the real module
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state
