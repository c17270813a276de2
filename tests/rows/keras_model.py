"""Keras models with weights of our choice, their weights and gradients as entries."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from k2t.verify.probes.keras_weights import read_model
from k2t.verify.recording import Entry

from .cases import Case


def randomise(model: Any, rng: np.random.Generator) -> None:
    """Weights of ordinary size; variances and scales positive."""
    for variable in model.weights:
        value = 0.4 * rng.normal(size=variable.shape)
        if any(word in variable.path for word in ("variance", "gamma")):
            value = rng.uniform(0.5, 1.5, variable.shape)
        variable.assign(value)


CREATED: dict[int, int] = {}


def watch_layers() -> None:
    """Notes the order in which layers are created: the order of their entries."""
    init = keras.layers.Layer.__init__

    def watched(layer: Any, *args: Any, **kwargs: Any) -> None:
        init(layer, *args, **kwargs)
        CREATED[id(layer)] = len(CREATED)

    keras.layers.Layer.__init__ = watched


def entries(model: Any) -> list[Entry]:
    return read_model(model, CREATED)[0]


def as_entries(model: Any, arrays: list[Any]) -> list[Entry]:
    """Arrays in the order of the trainable weights, in the layout of entries."""
    before = model.get_weights()
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    for variable, array in zip(model.trainable_weights, arrays, strict=True):
        variable.assign(array)
    found = entries(model)
    model.set_weights(before)
    return found


def forward(case: Case) -> dict[str, Any]:
    """Output in both modes, gradients of a random projection, statistics after a training call."""
    keras.config.set_floatx(case.dtype)
    keras.config.set_dtype_policy(case.dtype)
    namespace: dict[str, Any] = {}
    exec(case.reference or case.script, namespace)
    model = namespace["model"]
    rng = np.random.default_rng(case.seed)
    randomise(model, rng)
    xs = [tf.constant(x) for x in case.inputs()]
    given = xs if len(xs) > 1 else xs[0]
    start = entries(model)
    result = {"start": start, "inference": model(given, training=False).numpy()}
    if case.proves == "inference":  # the shape may be another in training
        return result
    # not of the seed of the inputs: a model without weights would be given its own input here
    rng = np.random.default_rng(case.seed + 1)
    cotangent = rng.normal(size=result["inference"].shape).astype(case.dtype)
    with tf.GradientTape() as tape:
        floats = [x for x in xs if x.dtype.is_floating]
        tape.watch(floats)
        out = model(given, training=True)
        value = tf.reduce_sum(tf.cast(out, case.dtype) * cotangent)
    weights = [w.value for w in model.trainable_weights]
    zero = tf.UnconnectedGradients.ZERO  # of what only numbers of rows are made of
    found = tape.gradient(value, [*floats, *weights], unconnected_gradients=zero)
    found = [np.array(tf.convert_to_tensor(g)) for g in found]
    return result | {
        "training": out.numpy(),
        "cotangent": cotangent,
        "inputs": found[: len(floats)],
        "after": entries(model),
        "weights": as_entries(model, found[len(floats) :]),
    }
