"""`--float64`: both programs compute in double precision, from the same data rounded to float32.

What is left between them is then no rounding: correct ports agree to 1e-12 and a fault of any size
shows. Data are rounded first because they are without this option too: Keras casts what it is
given to float32, ports do so where they make their batches. What a script itself makes float32 (a
layer's `dtype`, an array used as weights) stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

STEPS = ("train_step", "test_step", "predict_step")


# ------------------------------------------------------------------------------------------ Keras


def install_keras(keras: Any) -> None:
    """Layers, losses, metrics and optimizers made from now on are float64."""
    if hasattr(keras, "config"):
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    else:
        keras.backend.set_floatx("float64")
        if hasattr(keras, "mixed_precision"):
            keras.mixed_precision.set_global_policy("float64")
    if hasattr(keras.layers.BatchNormalization, "_fused_can_be_used"):
        correct_variances(keras.layers.BatchNormalization)
    cast_floats_exactly()
    for name in STEPS:
        if hasattr(keras.Model, name):
            setattr(keras.Model, name, rounding(getattr(keras.Model, name)))


def cast_floats_exactly() -> None:
    """tf.cast takes a Python float to float64 by way of float32, and would round a beta_2."""
    import tensorflow as tf  # type: ignore[import-untyped]

    cast = tf.cast

    @wraps(cast)
    def exact(x: Any, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return tf.constant(x, dtype) if isinstance(x, float) else cast(x, dtype, *args, **kwargs)

    for module in (tf, tf.compat.v1, tf.compat.v2):
        module.cast = exact


def correct_variances(layer: Any) -> None:
    """tf-keras keeps the unbiased variance of images where TensorFlow's fused operation computes
    it, which is in float32 only; in double precision it keeps it here."""
    import tensorflow as tf

    call, assign = layer.call, layer._assign_moving_average

    @wraps(call)
    def called(self: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        self._k2t_count = None
        biased = getattr(self, "keeps_biased", False)  # K2T112 is taken out
        if (
            not biased
            and len(inputs.shape) in (4, 5)
            and list(self.axis) == [len(inputs.shape) - 1]
        ):
            self._k2t_count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], inputs.dtype)
        return call(self, inputs, *args, **kwargs)

    def assigned(self: Any, variable: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        if variable is self.moving_variance and self._k2t_count is not None:
            value = value * (self._k2t_count / (self._k2t_count - 1))
        return assign(self, variable, value, *args, **kwargs)

    layer.call, layer._assign_moving_average = called, assigned


def rounding(step: Callable[..., Any]) -> Callable[..., Any]:
    """A train_step (test_step, ...) that is given its data as float32 would hold them."""
    import tensorflow as tf

    def rounded(value: Any) -> Any:
        if getattr(value, "dtype", None) != tf.float64:
            return value
        return tf.cast(tf.cast(value, tf.float32), tf.float64)

    @wraps(step)
    def call(model: Any, data: Any, *args: Any, **kwargs: Any) -> Any:
        return step(model, tf.nest.map_structure(rounded, data), *args, **kwargs)

    return call


# ------------------------------------------------------------------------------------------ torch


def install_torch() -> None:
    """Modules made from now on are float64, and so is what data loaders and arrays hand to them."""
    import torch
    from torch.utils.data import dataloader

    torch.set_default_dtype(torch.float64)
    base: Any = dataloader._BaseDataLoaderIter
    following = base.__next__
    base.__next__ = lambda loader: double(following(loader))
    single = torch.Tensor.float
    torch.Tensor.float = lambda t, *args, **kwargs: single(t).double()  # type: ignore[method-assign]
    torch.nn.modules.module.register_module_forward_pre_hook(lambda module, args: double(args))


def double(value: Any) -> Any:
    """float32 tensors and arrays as float64, also inside lists and dicts."""
    import torch

    if torch.is_tensor(value):
        return value.double() if value.dtype == torch.float32 else value
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return value.astype("float64")
    if isinstance(value, dict):
        return {key: double(part) for key, part in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(double(part) for part in value)
    return value
