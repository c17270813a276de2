"""Tells the models whose weights are as Keras drew them: neither trained nor loaded."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from typing import Any

from k2t.verify.probes.keras_weights import read_values


class Drawn:
    """Remembers every weight as its layer makes it."""

    def __init__(self, keras: Any) -> None:
        self.digests: dict[int, bytes] = {}  # by id of the variable
        self.kept: list[Any] = []  # variables, so that no id is used twice
        add = keras.layers.Layer.add_weight

        def noted(layer: Any, *args: Any, **kwargs: Any) -> Any:
            variable = add(layer, *args, **kwargs)
            with suppress(Exception):  # a variable of a graph has no value yet
                self.digests[id(variable)] = digest(variable)
                self.kept.append(variable)
            return variable

        keras.layers.Layer.add_weight = noted

    def whole(self, model: Any) -> bool:
        """Whether all weights of the model hold the values they were made with."""
        weights = model.weights
        return bool(weights) and all(
            digest(weight) == self.digests.get(id(weight)) for weight in weights
        )


def digest(variable: Any) -> bytes:
    return blake2b(read_values([variable])[0].tobytes()).digest()
