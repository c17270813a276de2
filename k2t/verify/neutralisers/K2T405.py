"""Takes K2T405 out: torch's Adam adds epsilon before the bias correction, as Keras does, and Keras
computes the correction in float64, as torch does.

In float32 1 - 0.999 ** t is up to 1.3e-8 too large, and Keras's rate 1e-5 (relative) too small:
that is left between every Adam of the two frameworks. Where the script's own hook has moved epsilon
already, only this rounding goes.
"""

from __future__ import annotations

from typing import Any


def install_keras(keras: Any) -> None:
    adam = keras.optimizers.Adam
    if hasattr(adam, "assign_sub"):
        adam.update_step = update_step
    elif hasattr(adam, "update_step"):
        for cls in (adam, keras.optimizers.AdamW):
            cls.update_step = update_step_of_tf_keras


def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    from keras import ops  # type: ignore[import-untyped]

    step = ops.cast(self.iterations + 1, "float64")
    correction = ops.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
    rate = ops.cast(ops.cast(learning_rate, "float64") * correction, variable.dtype)
    gradient = ops.cast(gradient, variable.dtype)
    index = self._get_variable_index(variable)
    m, v = self._momentums[index], self._velocities[index]
    self.assign_add(m, (gradient - m) * (1 - self.beta_1))
    self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
    if self.amsgrad:
        largest = self._velocity_hats[index]
        self.assign(largest, ops.maximum(largest, v))
        v = largest
    self.assign_sub(variable, m * rate / (ops.sqrt(v) + self.epsilon))


def update_step_of_tf_keras(self: Any, gradient: Any, variable: Any) -> None:
    import tensorflow as tf  # type: ignore[import-untyped]

    step = tf.cast(self.iterations + 1, tf.float64)
    correction = tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
    rate = tf.cast(tf.cast(self.learning_rate, tf.float64) * correction, variable.dtype)
    gradient = tf.convert_to_tensor(gradient)  # repeated rows of an Embedding are summed already
    index = self._index_dict[self._var_key(variable)]
    m, v = self._momentums[index], self._velocities[index]
    m.assign_add((gradient - m) * (1 - self.beta_1))
    v.assign_add((tf.square(gradient) - v) * (1 - self.beta_2))
    if self.amsgrad:
        largest = self._velocity_hats[index]
        largest.assign(tf.maximum(largest, v))
        v = largest
    variable.assign_sub(m * rate / (tf.sqrt(v) + self.epsilon))


def install_torch() -> None:
    import torch

    step = torch.optim.Adam.step

    def stepped(self: Any, closure: Any = None) -> Any:
        loss = None
        if closure is not None:  # it runs the script's hooks, which may set epsilon
            with torch.enable_grad():
                loss = closure()
        number = max((int(state["step"]) for state in self.state.values()), default=0) + 1
        before = [group["eps"] for group in self.param_groups]
        for group in self.param_groups:
            if group["eps"] == self.defaults["eps"]:
                group["eps"] /= (1 - group["betas"][1] ** number) ** 0.5
        step(self)
        for group, eps in zip(self.param_groups, before, strict=True):
            group["eps"] = eps
        return loss

    torch.optim.Adam.step = stepped  # type: ignore[method-assign]
