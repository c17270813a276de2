"""Looks closely at the first step of a Keras model: batch, outputs of all layers, gradients.

The batch and the gradients are taken out of the running step. The outputs are computed when fit has
ended, from the weights it began with: so the training itself is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from k2t.verify.probes.child import Array, leaves, plain
from k2t.verify.probes.keras_weights import read_model, sublayers
from k2t.verify.recording import Facts, Point, Trace

CELLS = ("LSTMCell", "GRUCell", "SimpleRNNCell")
# of a layer with several entries: how far behind the first its output is
LAST = {"SeparableConv1D": 1, "SeparableConv2D": 1, "MultiHeadAttention": 3}
LAST |= {"GroupedQueryAttention": 3}
RECURRENT = ("CuDNNLSTM", "CuDNNGRU", "Bidirectional")


@dataclass(frozen=True)
class Call:
    """One call of a layer. raw: its output before its own activation."""

    layer: Any
    input: Any
    raw: Any
    output: Any


class Tracer:
    """Sees every call of a layer while `watching`, and the batch and gradients of a first step."""

    def __init__(self, keras: Any, created: dict[int, int], keep: bool) -> None:
        self.keras, self.created = keras, created
        self.keep = keep  # all batches, not only the first
        self.batches: list[Any] = []
        self.watching = False
        self.calls: list[Call] = []
        self.activated: list[tuple[Any, Any]] = []  # what activations were given and made of it
        self.batch: tuple[Any, Any, Any] | None = None
        self.gradients: dict[int, Array] = {}
        self.start: list[Array] = []
        self.first_states: list[Array] = []

    def install(self) -> None:
        layer = self.keras.layers.Layer
        layer.__call__ = self.seen_call(layer.__call__)
        optimizer = self.keras.optimizers.Optimizer
        if hasattr(optimizer, "apply"):
            optimizer.apply = self.seen_apply(optimizer.apply)
        elif hasattr(optimizer, "apply_gradients"):
            optimizer.apply_gradients = self.seen_pairs(optimizer.apply_gradients)
            old = self.keras.optimizers.legacy.Optimizer
            old.apply_gradients = self.seen_pairs(old.apply_gradients)

    # --------------------------------------------------------------------- inside the first step

    def begin(self, model: Any) -> None:
        """Forgets the last model; called when the weights of this one exist."""
        self.batch, self.gradients, self.start = None, {}, model.get_weights()
        self.batches = []
        self.first_states = [np.array(state) for state in states_of(model)]

    def see_batch(self, data: Any) -> None:
        """Adds to the step being traced that it hands out its batch."""
        import tensorflow as tf  # type: ignore[import-untyped]

        given = data if isinstance(data, tuple) else (data,)
        parts = [part for part in given[:3] if part is not None]

        def seen(*values: Any) -> Any:
            if self.batch is None or self.keep:
                packed = tf.nest.pack_sequence_as(parts, [as_computed(value) for value in values])
                self.batches.append(packed)
            if self.batch is None:
                self.batch = (*packed, {}, None)[:3] if len(packed) < 3 else tuple(packed)
            return np.int32(0)

        flat = tf.nest.flatten(parts)
        if not any(isinstance(t, tf.SparseTensor | tf.RaggedTensor) for t in flat):
            tf.numpy_function(seen, flat, tf.int32, stateful=True)

    def see_gradients(self, gradients: Any, variables: Any) -> None:
        import tensorflow as tf

        pairs = [(g, v) for g, v in zip(gradients, variables, strict=False) if g is not None]

        def seen(*values: Any) -> Any:
            for (_, variable), value in zip(pairs, values, strict=True):
                self.gradients.setdefault(id(variable), np.array(value))
            return np.int32(0)

        dense = [tf.convert_to_tensor(gradient) for gradient, _ in pairs]
        tf.numpy_function(seen, dense, tf.int32, stateful=True)

    def seen_apply(self, apply: Callable[..., Any]) -> Callable[..., Any]:
        def seen(optimizer: Any, grads: Any, trainable_variables: Any = None) -> Any:
            grads = list(grads)
            variables = trainable_variables
            if variables is None:
                variables = optimizer._trainable_variables
            self.see_gradients(grads, variables)
            return apply(optimizer, grads, trainable_variables)

        return seen

    def seen_pairs(self, apply: Callable[..., Any]) -> Callable[..., Any]:
        def seen(optimizer: Any, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
            pairs = list(grads_and_vars)
            self.see_gradients(*zip(*pairs, strict=True))
            return apply(optimizer, pairs, *args, **kwargs)

        return seen

    # -------------------------------------------------------------------------- layers, afterwards

    def seen_call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def seen(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.watching or isinstance(layer, self.keras.Model):
                return call(layer, *args, **kwargs)
            activated: list[tuple[Any, Any]] = []
            with noting_activation(layer, activated):
                output = call(layer, *args, **kwargs)
            self.activated += activated
            given, made = first(args or tuple(kwargs.values())), first(output)
            raw = activated[-1][0] if activated and activated[-1][1] is made else made
            if given is not None and made is not None:
                self.calls.append(Call(layer, given, raw, made))
            return output

        return seen

    def trace(self, model: Any) -> Trace:
        """What the first batch does in this model from the weights that fit began with."""
        trace = Trace()
        trace.gradients = read_model(model, self.created, self.gradients)[0]
        if self.batch is None:
            trace.problem = "the batch could not be seen"
            return trace
        inputs, targets, trace.weights = self.batch
        trace.inputs, trace.targets = leaves(inputs), leaves(targets)
        end, states = model.get_weights(), states_of(model)
        last_states = [np.array(state) for state in states]
        model.set_weights(self.start)
        put(states, self.first_states)
        self.calls, self.activated, self.watching = [], [], True
        try:
            output = model(inputs, training=False)
        except Exception as error:  # a model that only its own train_step can call
            trace.problem = f"the model could not be called: {type(error).__name__}: {error}"
            return trace
        finally:
            self.watching = False
            model.set_weights(end)
            put(states, last_states)
        trace.output = {name: np.array(value) for name, value in leaves(output).items()}
        trace.logits = {
            name: self.before(output_leaf, trace.output[name])
            for name, output_leaf in leaves(output).items()
        }
        trace.points = self.points(model)
        return trace

    def before(self, output: Any, value: Array) -> Array:
        """An output as it was before the activation that made it, itself if none did."""
        softmaxes = [call for call in self.calls if type(call.layer).__name__ == "Softmax"]
        for given, made in [*((call.input, call.output) for call in softmaxes), *self.activated]:
            if made is output or (made.shape == output.shape and np.array_equal(made, value)):
                return np.array(given)
        return value

    def points(self, model: Any) -> list[Point]:
        layers = read_model(model, self.created)[2]
        entries = {id(layer): number for number, layer in reversed(list(enumerate(layers)))}
        # a cell of the script's own is called by the step, here and there in another order
        cells = {id(cell) for c in self.calls if of_script(cell := getattr(c.layer, "cell", None))}
        found = []
        for call in self.calls:
            layer = call.layer
            owner = getattr(layer, "cell", layer)
            kind, entry = type(layer).__name__, entries.get(id(owner))
            if kind in CELLS or cells & {id(layer), id(owner)}:
                continue
            output = None
            if owner is layer and kind not in RECURRENT:
                raw = call.output if entry is None else call.raw
                output = channels_last(np.array(raw), layer)
            given: Array | None = channels_last(np.array(call.input), layer)
            last = LAST.get(kind)
            if last is not None and entry is not None:  # it goes in at one entry, out at another
                found.append(Point(layer.name, kind, entry, given, None))
                entry, given = entry + last, None
            found.append(Point(layer.name, kind, entry, given, output))
        return found


def states_of(model: Any) -> list[Any]:
    """The variables in which stateful layers keep their states, which are no weights."""
    stateful = [layer for layer in sublayers(model) if getattr(layer, "stateful", False)]
    states = (state for layer in stateful for state in getattr(layer, "states", None) or ())
    return [state for state in states if hasattr(state, "assign")]


def put(variables: list[Any], values: list[Array]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def first(value: Any) -> Any:
    """The first tensor in nested arguments; None if there is none."""
    parts = list(leaves(value).values())
    return next((part for part in parts if hasattr(part, "shape")), None)


def of_script(layer: Any) -> bool:
    """Whether a layer is a class of the script's own."""
    packages = ("builtins", "keras", "tf_keras", "tensorflow")
    return type(layer).__module__.partition(".")[0] not in packages


def channels_last(value: Array, layer: Any) -> Array:
    if getattr(layer, "data_format", None) == "channels_first" and value.ndim > 2:
        return np.moveaxis(value, 1, -1)
    return value


@contextmanager
def noting_activation(layer: Any, seen: list[tuple[Any, Any]]) -> Iterator[None]:
    """Notes in `seen` what the layer's own activation is given and makes of it, while inside."""
    activation = vars(layer).get("activation")  # recurrent layers have a property: their cell's
    # a layer of the script: the port's applies its activation itself
    if of_script(layer) or not callable(activation) or type(layer).__name__ in CELLS:
        yield
        return

    def noted(x: Any, *args: Any, **kwargs: Any) -> Any:
        made = activation(x, *args, **kwargs)
        seen.append((x, made))
        return made

    object.__setattr__(layer, "activation", noted)
    try:
        yield
    finally:
        object.__setattr__(layer, "activation", activation)


def described(thing: Any) -> dict[str, Any]:
    """Class and plain settings of an object that Keras can serialise."""
    try:
        settings = plain(thing.get_config())
    except Exception:  # classes of the script's own need not have a configuration
        settings = {}
    return {"class": type(thing).__name__, **settings}


def read_facts(model: Any, created: dict[int, int]) -> Facts:
    """The settings of a compiled model."""
    layers = read_model(model, created)[2]
    loss = getattr(model, "loss", "") or ""
    return Facts(
        layers=[described(layer) for layer in layers],
        modules=[type(layer).__name__ for layer in getattr(model, "layers", [])],
        optimizer=described(model.optimizer) if getattr(model, "optimizer", None) else {},
        metrics=[described(metric) for metric in getattr(model, "metrics", [])],
        loss=loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__),
    )


def as_computed(value: Any) -> Array:
    """Data as both programs take them, in double precision too: rounded to float32."""
    array = np.array(value)
    return array.astype("float32").astype("float64") if array.dtype == np.float64 else array


def named_results(model: Any, result: Any) -> dict[str, float]:
    """What `evaluate` gives by name: a list holds loss and metrics in the model's order."""
    values = {name: float(value) for name, value in leaves(result).items()}
    if not isinstance(result, list):
        return values
    if hasattr(model, "_flatten_metrics_in_order"):
        parts = (getattr(metric, "metrics", [metric]) for metric in model.metrics)
        names = [one.name for part in parts for one in part]
    else:
        names = list(model.metrics_names)
    return dict(zip(names, values.values(), strict=True)) if len(names) == len(values) else values
