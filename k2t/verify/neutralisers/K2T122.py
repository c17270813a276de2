"""Takes K2T122 out: Keras's recurrent layers get the activations of torch's classes, no
recurrent_dropout, and GRU reset_after=True."""

from __future__ import annotations

import inspect
from typing import Any

TORCH = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True}


def install_keras(keras: Any) -> None:
    for name in ("LSTM", "GRU", "SimpleRNN"):
        as_in_torch(getattr(keras.layers, name))


def as_in_torch(layer: Any) -> None:
    init = layer.__init__
    signature = inspect.signature(init)

    def patched(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        values = bound.arguments
        # nn.RNN has relu too
        relu = layer.__name__ == "SimpleRNN" and values["activation"] == "relu"
        if not (relu and not values["recurrent_dropout"]):
            own = {**values.get("kwargs", {}), **values}
            changed = {name: value for name, value in TORCH.items() if name in own}
            for name, value in changed.items():
                (values if name in values else values["kwargs"])[name] = value
        values["recurrent_dropout"] = 0.0
        init(*bound.args, **bound.kwargs)

    patched.__signature__ = signature  # type: ignore[attr-defined]
    layer.__init__ = patched


def install_torch() -> None:
    pass
