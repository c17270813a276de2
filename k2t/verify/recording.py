"""What a probe writes down about one run of a training script, the same for Keras and Lightning."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Roles that a torch layer may have where the Keras layer has none, and the value that makes them
# do nothing there (gamma of BatchNormalization(scale=False), the second bias of nn.LSTM).
NEUTRAL = {
    "gamma": 1.0,
    "beta": 0.0,
    "recurrent_bias": 0.0,
    "moving_mean": 0.0,
    "moving_variance": 1.0,
}


@dataclass(frozen=True)
class Entry:
    """The weights of one layer: numpy arrays by role, in Keras's layout, gates in Keras's order.

    Separable convolutions count as two entries, Bidirectional as two, MultiHeadAttention as four
    Dense ones. Kernels of depthwise convolutions have the shape of a grouped one: (k..., 1, out).
    """

    kind: str
    name: str
    arrays: dict[str, Any]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {role: tuple(array.shape) for role, array in self.arrays.items()}


@dataclass
class Fit:
    """One call of fit. `losses` and `sizes`: one value a training step, over all epochs.

    `model` counts the distinct models that were fitted, from 0. `initial` and `final` hold the
    entries in Keras's order of creation; `traversal` is another order of the same entries.
    """

    model: int
    initial: list[Entry] = field(default_factory=list)
    final: list[Entry] = field(default_factory=list)
    traversal: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Output:
    """What one call of evaluate (`values`: numbers by name) or predict (arrays) returned."""

    call: str
    values: dict[str, Any]


@dataclass
class Recording:
    """Everything one run left.

    `starts`: the call each fitted model was first used by, and its weights then.

    `draws`: per fitted model, entries whose arrays are samples of fresh initial values (a role that
    is constant keeps its one value). `variables`: the script's numeric globals when it ended.
    """

    fits: list[Fit] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    starts: list[tuple[str, list[Entry]]] = field(default_factory=list)
    draws: list[list[Entry]] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self))


def load(path: Path) -> Recording:
    """Reads what `Recording.save` wrote. Only for files that this process's own children wrote."""
    recording = pickle.loads(path.read_bytes())
    assert isinstance(recording, Recording)
    return recording
