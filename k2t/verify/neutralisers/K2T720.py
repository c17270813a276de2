"""Takes K2T720 out of Keras: each fit of a model starts with a fresh state of its optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def install_keras(keras: Any) -> None:
    fitted: list[Any] = []

    def afresh(fit: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(fit)
        def call(model: Any, *args: Any, **kwargs: Any) -> Any:
            if any(model is known for known in fitted):
                model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
                model.train_function = None  # the old one has the old optimizer inside
            fitted.append(model)
            return fit(model, *args, **kwargs)

        return call

    for name in ("fit", "fit_generator"):
        if hasattr(keras.Model, name):
            setattr(keras.Model, name, afresh(getattr(keras.Model, name)))


def install_torch() -> None:
    pass
