"""What a probe writes down about one run of a training script, the same for Keras and Lightning."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class Point:
    """One call of a layer on the first batch, in eval mode: what went in and what came out.

    Arrays are channels last and in Keras's order of axes; `output` is what the layer gave before
    its own activation (recurrent layers: None). `entry`: the number of the layer's entry, None for
    a layer without weights. `name` and `kind`: the layer's name and class.
    """

    name: str
    kind: str
    entry: int | None
    input: Any
    output: Any


@dataclass
class Trace:
    """The first step of a model's first fit, looked at closely.

    `points`: in order of execution. `output`: what the model gives in eval mode for the first
    batch, `logits` the same before the last layer's activation. `gradients` (of the reported loss,
    before clipping) and `after` (weights after the first step) are entries in the order of
    `Fit.initial`; empty where they could not be had. `inputs`, `targets`, `weights` (of the
    samples): the first batch as Keras's step was given it (only Keras tells). `problem`: why there
    are no points, if there are none.
    """

    points: list[Point] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)
    logits: dict[str, Any] = field(default_factory=dict)
    gradients: list[Entry] = field(default_factory=list)
    after: list[Entry] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, Any] = field(default_factory=dict)
    weights: Any = None
    problem: str = ""


@dataclass
class Facts:
    """Settings of a fitted model that are often the cause when numbers part.

    `layers`: one dict an entry, with "class" and its numbers (epsilon, momentum, batch_first...)
    under the framework's own names. `modules`: class names of all layers in order of definition.
    `optimizer`: "class" and its numbers as the first step begins. `metrics`: class and settings
    ("average", "threshold"...) of metric objects. `loss`: its name, where there is one. `modes`:
    whether layers of the port are in training mode in "train" and "validation".
    """

    layers: list[dict[str, Any]] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    optimizer: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    loss: str = ""
    modes: dict[str, bool] = field(default_factory=dict)


@dataclass
class Fit:
    """One call of fit. `losses` and `sizes`: one value a training step, over all epochs.

    `model` counts the distinct models that were fitted, from 0. `initial` and `final` hold the
    entries in Keras's order of creation; `traversal` is another order of the same entries.
    `running`: the metrics as they stand after each step, where the framework tells. `batches`: what
    each step was given (inputs, targets, weights), where that was asked for.
    """

    model: int
    initial: list[Entry] = field(default_factory=list)
    final: list[Entry] = field(default_factory=list)
    traversal: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    running: list[dict[str, float]] = field(default_factory=list)
    batches: list[Any] = field(default_factory=list)
    trace: Trace | None = None
    facts: Facts = field(default_factory=Facts)


@dataclass
class Output:
    """What one call of evaluate (`values`: numbers by name) or predict (arrays) returned.

    `start`: the weights (entries and their traversal, as in `Fit`) of a Keras model that is used
    for the first time and holds what was drawn: it has neither been trained nor loaded.
    """

    call: str
    values: dict[str, Any]
    start: tuple[list[Entry], list[int]] | None = None


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
    seconds: float = 0.0
    memory: int = 0  # bytes: the largest resident set of the child

    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self))


def beginning(recording: Recording) -> Recording:
    """What a port of a Keras script is started from: its weights, and batches if there are any."""
    fits = [Fit(fit.model, traversal=fit.traversal, batches=fit.batches) for fit in recording.fits]
    outputs = [replace(output, values={}) for output in recording.outputs]
    return Recording(fits, outputs, recording.starts)


def without_arrays(recording: Recording) -> Recording:
    """A recording that has been compared, without what is large: points, batches and outputs."""
    fits = [
        replace(fit, batches=[], trace=replace(fit.trace, points=[]) if fit.trace else None)
        for fit in recording.fits
    ]
    return replace(recording, fits=fits, outputs=[], variables={})


def load(path: Path) -> Recording:
    """Reads what `Recording.save` wrote. Only for files that this process's own children wrote."""
    recording = pickle.loads(path.read_bytes())
    assert isinstance(recording, Recording)
    return recording
