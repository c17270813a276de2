"""Layers behind a mask: of Embedding(mask_zero=True), whose zeros stand anywhere, and of Masking.

Three steps of which half are padding leave some rows without any step that counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from .cases import HEAD, Case

EMBEDDED = "layers.Embedding(4, 5, mask_zero=True)"
INSIDE = {
    "LSTM": (
        "5",
        "5, return_sequences=True",
        "5, return_sequences=True, go_backwards=True",
        "5, activation='relu', return_sequences=True",
        "5, recurrent_activation='hard_sigmoid'",
    ),
    "GRU": (
        "5, return_sequences=True",
        "5, go_backwards=True",
        "5, activation='relu'",
        "5, reset_after=False, return_sequences=True",
    ),
    "SimpleRNN": (
        "5, return_sequences=True",
        "5, activation='relu', go_backwards=True",
        "5, activation='softsign', return_sequences=True",
    ),
}
BOTH_WAYS = (
    "layers.LSTM(5, return_sequences=True)",
    "layers.LSTM(5), merge_mode='sum'",
    "layers.GRU(5, return_sequences=True), merge_mode='ave'",
    "layers.GRU(5, reset_after=False, return_sequences=True)",
    "layers.LSTM(5, recurrent_activation='hard_sigmoid'), merge_mode='mul'",
    "layers.SimpleRNN(5, activation='softsign', return_sequences=True)",
)


def mask_cases() -> list[Case]:
    return [*recurrent_cases(), *pooled_cases(), *stacked_cases(), *state_cases()]


def case(row: str, called: str, script: str, length: int = 6, top: int = 4) -> Case:
    name = f"layers/{row}: masked, {called} over {length}"
    return Case(name, f"layers/{row}", HEAD + script, ((length,),), top=top)


def sequential(row: str, layer: str, length: int) -> Case:
    script = f"model = keras.Sequential([keras.Input(({length},)), {EMBEDDED}, {layer}])\n"
    return case(row, layer, script, length)


def graph(row: str, called: str, lines: str, length: int = 6, top: int = 4) -> Case:
    script = f'i = keras.Input(({length},), dtype="int32")\nx = {EMBEDDED}(i)\n'
    return case(row, called, f"{script}{lines}model = keras.Model(i, x)\n", length, top)


def recurrent_cases() -> Iterator[Case]:
    for name, samples in INSIDE.items():
        for arguments in samples:
            for length in (6, 3):
                layer = f"layers.{name}({arguments})"
                yield sequential(name, layer, length)
    for inside in BOTH_WAYS:
        for length in (6, 3):
            yield sequential("Bidirectional", f"layers.Bidirectional({inside})", length)


def pooled_cases() -> Iterator[Case]:
    for arguments in ("", "keepdims=True"):
        pooled = f"layers.GlobalAveragePooling1D({arguments})"
        yield graph("GlobalAveragePooling1D", pooled, f"x = {pooled}(layers.Dense(3)(x))\n")
    for value in ("", "mask_value=0.5", "mask_value=-1.0"):
        lines = (
            "i = keras.Input((4, 2), dtype='int32')\n"
            f"x = layers.Masking({value})(layers.Rescaling(0.5)(i))\n"
            "x = layers.LSTM(4, return_sequences=True)(layers.Dense(3)(x))\n"
            "model = keras.Model(i, layers.GRU(3)(x))\n"
        )
        name = f"layers/Masking: {value} into LSTM"
        yield Case(name, "layers/Masking", HEAD + lines, ((4, 2),), top=2)


def stacked_cases() -> Iterator[Case]:
    """Masks through other layers, into several, joined again, and lost."""
    several = {
        "two layers": "x = layers.LSTM(4, return_sequences=True)(x)\nx = layers.LSTM(3)(x)\n",
        "dropout": "x = layers.GRU(4, return_sequences=True)(layers.Dropout(0.0)(x))\n"
        "x = layers.TimeDistributed(layers.Dense(3))(layers.LayerNormalization()(x))\n"
        "x = layers.LSTM(4, go_backwards=True)(x)\n",
        "a sum": "y = layers.LSTM(5, return_sequences=True)(x)\n"
        "x = layers.LSTM(4)(layers.Add()([x, y]))\n",
        "features": "y = layers.Bidirectional(layers.GRU(2, return_sequences=True))(x)\n"
        "x = layers.LSTM(4)(layers.Concatenate()([x, y]))\n",
        "a convolution": "y = layers.LSTM(4)(layers.Conv1D(4, 2)(x))\n"
        "x = layers.Concatenate()([layers.LSTM(4)(x), y])\n",
        "an operator": "x = layers.LSTM(4)(x * 2)\n",
    }
    for called, lines in several.items():
        yield graph("LSTM", called, lines)


def state_cases() -> Iterator[Case]:
    """States that come out of masked layers, and go into them."""
    for name, states in (("LSTM", "h, c"), ("GRU", "h"), ("SimpleRNN", "h")):
        for arguments in ("5", "5, return_sequences=True", "5, activation='relu'"):
            lines = (
                f"y, {states} = layers.{name}({arguments}, return_state=True)(x)\n"
                f"z = layers.{name}({arguments})(x, initial_state=[{states}])\n"
                f"x = layers.Concatenate()([layers.Flatten()(y), layers.Flatten()(z), {states}])\n"
            )
            for length in (6, 3):
                yield graph(name, f"states of {name}({arguments})", lines, length)
