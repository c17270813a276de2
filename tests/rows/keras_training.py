"""Keras's side of the scripts that train: `Trained` cases of training.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .keras_model import as_entries, entries, randomise
from .training import Trained


def trained(case: Trained) -> dict[str, Any]:
    """What the case's mode compares."""
    keras.utils.set_random_seed(1)
    seen: dict[str, Any] = {}
    fit = keras.Model.fit
    keras.Model.fit = hooked(case, seen)
    namespace: dict[str, Any] = {}
    try:
        exec(case.reference or case.script, namespace)
    finally:
        keras.Model.fit = fit
    if case.mode == "initial":
        seen["start"] = entries(namespace["model"])
    if case.mode == "metrics":
        scores = namespace["scores"]
        seen["scores"] = [float(s) for s in (scores if isinstance(scores, list) else [scores])]
    return seen


def hooked(case: Trained, seen: dict[str, Any]) -> Callable[..., Any]:
    """`fit` that sets the weights first, and then does what the mode wants."""

    def hook(model: Any, x: Any, y: Any, **kwargs: Any) -> None:
        randomise(model, np.random.default_rng(case.seed))
        model.run_eagerly = True
        seen["start"] = entries(model)
        if case.mode == "loss":
            seen.update(one_batch(model, x, y, kwargs.get("sample_weight")))
        if case.mode == "fit":
            train(model, x, y, kwargs["batch_size"])
            seen["after"] = entries(model)

    return hook


def train(model: Any, x: Any, y: Any, size: int) -> None:
    """One epoch in order; a bare step compiles several times quicker than `fit` does."""
    variables = model.trainable_variables
    model.optimizer.build(variables)

    @tf.function
    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = model.optimizer.scale_loss(model.compute_loss(x, y, model(x, training=True)))
        model.optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    for start in range(0, len(x), size):
        step(tf.constant(x[start : start + size]), tf.constant(y[start : start + size]))


def one_batch(model: Any, x: Any, y: Any, weights: Any) -> dict[str, Any]:
    with tf.GradientTape() as tape:
        out = model(tf.constant(x), training=True)
        loss = model.compute_loss(x=x, y=tf.constant(y), y_pred=out, sample_weight=weights)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    return {"loss": float(loss), "weights": as_entries(model, [np.array(g) for g in gradients])}
