"""Takes K2T406 out of Keras 3 on TensorFlow: the gradients of a token that occurs twice in a batch
(`tf.IndexedSlices`), which it squares one by one, are added up first as in torch."""

from __future__ import annotations

from typing import Any


def install_keras(keras: Any) -> None:
    import tensorflow as tf  # type: ignore[import-untyped]

    apply = getattr(keras.optimizers.Optimizer, "apply", None)
    if apply is None:  # Keras 2 adds them up itself
        return

    def dense(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        grads = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads]
        return apply(self, grads, trainable_variables)

    keras.optimizers.Optimizer.apply = dense


def install_torch() -> None:
    pass
