"""``RNN`` around cells: Keras's own, alone, in stacks and in both directions."""

from __future__ import annotations

from .cases import Case, spelled

CELLS = {
    "LSTMCell": (
        "layers.RNN(layers.LSTMCell(5, recurrent_activation='hard_sigmoid'))",
        "layers.RNN(layers.LSTMCell(5, use_bias=False, unit_forget_bias=False), go_backwards=True)",
        "layers.RNN([layers.LSTMCell(5), layers.LSTMCell(5)], return_sequences=True)",
    ),
    "GRUCell": (
        "layers.RNN(layers.GRUCell(5, reset_after=False))",
        "layers.RNN(layers.GRUCell(5), return_sequences=True, unroll=True)",
        "layers.Bidirectional(layers.RNN(layers.GRUCell(5), return_sequences=True))",
    ),
    "SimpleRNNCell": (
        "layers.RNN(layers.SimpleRNNCell(5))",
        "layers.RNN(layers.SimpleRNNCell(5, activation='relu'), return_sequences=True)",
        "layers.TimeDistributed(layers.RNN(layers.SimpleRNNCell(3)))",
    ),
    "StackedRNNCells": (
        "layers.RNN(layers.StackedRNNCells([layers.LSTMCell(5), layers.LSTMCell(5)]))",
        "layers.RNN(layers.StackedRNNCells([layers.GRUCell(5) for _ in range(3)]))",
        "layers.RNN(layers.StackedRNNCells([layers.SimpleRNNCell(5)] + [layers.SimpleRNNCell(5)]), "
        "go_backwards=True, return_sequences=True)",
    ),
}


def cell_cases() -> list[Case]:
    return [
        case
        for row, samples in CELLS.items()
        for layer in samples
        for case in spelled(
            f"layers/{row}", layer, (3, 6, 4) if "TimeDistributed" in layer else (6, 4)
        )
    ]
