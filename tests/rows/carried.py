"""Stateful layers: what is computed in training starts from the states that inference has left."""

from __future__ import annotations

from collections.abc import Iterator

from .cases import BATCH, HEAD, Case

LAYERS = {
    "LSTM": ("5", "5, return_sequences=True, go_backwards=True", "5, activation='relu'"),
    "GRU": ("5, return_sequences=True", "5, reset_after=False", "5, recurrent_activation='relu'"),
    "SimpleRNN": ("5, return_sequences=True", "5, activation='relu'", "5, activation='softsign'"),
}


def stateful_cases() -> Iterator[Case]:
    """A layer alone in a Sequential, and between two others in a functional model."""
    for name, samples in LAYERS.items():
        for arguments in samples:
            layer = f"layers.{name}({arguments}, stateful=True)"
            alone = (
                f"model = keras.Sequential([keras.Input(batch_shape=({BATCH}, 6, 4)), {layer}])\n"
            )
            among = (
                f"i = keras.Input(batch_shape=({BATCH}, 6, 4))\n"
                "x = layers.GRU(4, return_sequences=True, stateful=True)(i)\n"
                f"model = keras.Model(i, layers.Dense(3)({layer}(x)))\n"
            )
            for called, script in (("alone", alone), ("among others", among)):
                row = f"layers/{name}"
                yield Case(f"{row}: stateful, {arguments} {called}", row, HEAD + script, ((6, 4),))
