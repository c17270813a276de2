"""Takes K2T611 out of Keras: `on_epoch_end` of a Sequence is called after each epoch of fit only,
not before the first one, and not for validation."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import wraps
from typing import Any

ADAPTERS = (
    ("keras.src.trainers.data_adapters.py_dataset_adapter", "PyDatasetAdapter", "enqueuer"),
    ("tf_keras.src.engine.data_adapter", "KerasSequenceAdapter", "_enqueuer"),
)


def install_keras(keras: Any) -> None:
    outside = [0]  # calls of evaluate and predict that are running

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            outside[0] += 1
            try:
                return function(*args, **kwargs)
            finally:
                outside[0] -= 1

        return call

    for name in ("evaluate", "predict"):
        setattr(keras.Model, name, counted(getattr(keras.Model, name)))
    for module, cls, enqueuer in ADAPTERS:
        if module.split(".")[0] == keras.Model.__module__.split(".")[0]:
            calm(getattr(importlib.import_module(module), cls), enqueuer, outside)


def calm(adapter: Any, enqueuer: str, outside: list[int]) -> None:
    end = adapter.on_epoch_end

    def on_epoch_end(self: Any) -> None:
        # Keras 3 resets the iterator, and calls this, before the first epoch begins
        if not outside[0] and getattr(self, "_within_epoch", True):
            end(self)
            return
        if getattr(self, enqueuer):
            getattr(self, enqueuer).stop()
        self._within_epoch = False

    adapter.on_epoch_end = on_epoch_end


def install_torch() -> None:
    pass
