"""Neutralises a quirk of Keras 3 on TensorFlow: a token that occurs twice in a batch has its two
gradients squared one by one (`tf.IndexedSlices`); with this they are added up first as in torch."""


def install_keras(keras):
    import tensorflow as tf

    apply = keras.optimizers.Optimizer.apply

    def dense(self, grads, trainable_variables=None):
        grads = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads]
        return apply(self, grads, trainable_variables)

    keras.optimizers.Optimizer.apply = dense


def install_torch():
    pass
