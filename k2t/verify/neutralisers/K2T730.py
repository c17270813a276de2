"""Takes K2T730 out of Keras: a model that is compiled with an optimizer that another has gets its
own, made from the same settings."""

from __future__ import annotations

from typing import Any


def install_keras(keras: Any) -> None:
    compile_model = keras.Model.compile
    owners: dict[int, Any] = {}

    def with_own(self: Any, optimizer: Any = "rmsprop", *args: Any, **kwargs: Any) -> Any:
        if not isinstance(optimizer, str) and owners.setdefault(id(optimizer), self) is not self:
            optimizer = type(optimizer).from_config(optimizer.get_config())
        return compile_model(self, optimizer, *args, **kwargs)

    keras.Model.compile = with_own


def install_torch() -> None:
    pass
