"""Takes K2T112 out: on both sides BatchNormalization's running variance becomes the biased one, and
in Keras 2.2 the running averages are no longer zero-debiased.

Emitted subclasses of nn.BatchNorm, which are biased already, stay as they are.
"""

from __future__ import annotations

from typing import Any


def install_keras(keras: Any) -> None:
    layer = keras.layers.BatchNormalization
    if hasattr(layer, "_fused_can_be_used"):
        unfuse(layer)
    elif hasattr(keras.backend, "moving_average_update"):
        average_plainly(keras.backend)


def unfuse(layer: Any) -> None:
    """tf.keras: TensorFlow's fused kernel for maps hands back the unbiased variance."""
    build = layer.build

    def built(self: Any, input_shape: Any) -> None:
        self.fused = False
        build(self, input_shape)

    layer.build = built
    layer.keeps_biased = True  # in double precision too


def average_plainly(backend: Any) -> None:
    """Keras 2.2: averages that start at 0 and 1, of a variance that the layer's own factor
    n / (n - 1 - epsilon), which is divided out beforehand, turns into the biased one."""
    normalize = backend.normalize_batch_in_training

    def normalized(x: Any, gamma: Any, beta: Any, axes: Any, epsilon: float = 1e-3) -> Any:
        y, mean, _ = normalize(x, gamma, beta, axes, epsilon=epsilon)
        n = backend.cast(backend.prod([backend.shape(x)[axis] for axis in axes]), backend.dtype(x))
        return y, mean, backend.var(x, axis=axes) * (n - (1 + epsilon)) / n

    def average(x: Any, value: Any, momentum: float) -> Any:
        return backend.update(x, momentum * x + (1 - momentum) * value)

    backend.normalize_batch_in_training = normalized
    backend.moving_average_update = average


def install_torch() -> None:
    from torch import nn

    classes = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    forward = nn.modules.batchnorm._BatchNorm.forward

    def biased(self: Any, x: Any) -> Any:
        if type(self) not in classes or not self.training or self.running_var is None:
            return forward(self, x)
        old = (1 - self.momentum) * self.running_var
        y = forward(self, x)
        # a new tensor: the backward pass still needs the old one
        self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())  # 1/n
        return y

    nn.modules.batchnorm._BatchNorm.forward = biased  # type: ignore[assignment, method-assign]
