"""Takes K2T307 out of TensorFlow: the gradient of its softmax crossentropy is that of its value,
also where a row of the targets does not sum to one."""

from __future__ import annotations

from typing import Any


def install_keras(keras: Any) -> None:
    import tensorflow as tf  # type: ignore[import-untyped]
    from tensorflow.compat import v2  # type: ignore[import-untyped]

    def crossentropy(labels: Any, logits: Any, axis: int = -1, name: Any = None) -> Any:
        labels = tf.cast(labels, logits.dtype)
        return -tf.reduce_sum(labels * tf.nn.log_softmax(logits, axis=axis), axis=axis)

    tf.nn.softmax_cross_entropy_with_logits = crossentropy
    v2.nn.softmax_cross_entropy_with_logits = crossentropy


def install_torch() -> None:
    pass
