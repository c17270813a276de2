"""Takes K2T804 out: the optimizer of a model that Keras reads from a file starts afresh."""

from __future__ import annotations

from typing import Any


def install_keras(keras: Any) -> None:
    for module in (keras.models, keras.saving):
        module.load_model = afresh(module.load_model)


def afresh(load_model: Any) -> Any:
    def loaded(*args: Any, **kwargs: Any) -> Any:
        model = load_model(*args, **kwargs)
        if getattr(model, "optimizer", None) is not None:
            model.compile_from_config(model.get_compile_config())
        return model

    return loaded


def install_torch() -> None:
    """The port's starts afresh as it is."""
