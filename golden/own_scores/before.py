"""A loss and a metric of the script's own: classes that extend Keras's."""

import keras
import numpy as np
from keras import layers, ops

WIDTH = 0.4
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 8)).astype("float32")
y = (x[:, :3] + 0.5 * rng.normal(size=(200, 3)) > 0).astype("float32")


class DiceLoss(keras.losses.Loss):
    """Soft Dice, a value for each sample."""

    def __init__(self, smooth=1.0, name="dice_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.smooth = smooth

    def call(self, y_true, y_pred):
        common = ops.sum(y_true * y_pred, axis=-1)
        total = ops.sum(y_true, axis=-1) + ops.sum(y_pred, axis=-1)
        return 1 - (2 * common + self.smooth) / (total + self.smooth)

    def get_config(self):
        return {**super().get_config(), "smooth": self.smooth}


class Near(keras.metrics.Metric):
    """The share of predictions near their target, and how it counts each class."""

    def __init__(self, width=0.1, name="near", **kwargs):
        super().__init__(name=name, **kwargs)
        self.width = width
        self.hits = self.add_weight(name="hits", shape=(3,), initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        near = ops.cast(ops.abs(y_true - y_pred) < self.width, self.dtype)
        self.hits.assign_add(ops.sum(near, axis=0))
        self.count.assign_add(ops.cast(ops.shape(y_true)[0], self.dtype))

    def result(self):
        return ops.mean(self.hits) / self.count

    def reset_state(self):
        self.hits.assign(ops.zeros(3))
        self.count.assign(0.0)


class F1(keras.metrics.Metric):
    """The harmonic mean of two metrics that it holds."""

    def __init__(self, name="f1", **kwargs):
        super().__init__(name=name, **kwargs)
        self.precision = keras.metrics.Precision(thresholds=WIDTH)
        self.recall = keras.metrics.Recall(thresholds=WIDTH)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.precision.update_state(y_true, y_pred, sample_weight)
        self.recall.update_state(y_true, y_pred, sample_weight)

    def result(self):
        p, r = self.precision.result(), self.recall.result()
        return 2 * p * r / (p + r + keras.backend.epsilon())

    def reset_state(self):
        self.precision.reset_state()
        self.recall.reset_state()


model = keras.Sequential([keras.Input((8,)), layers.Dense(3, activation="sigmoid")])
model.compile("sgd", loss=DiceLoss(smooth=0.5), metrics=[Near(WIDTH), "mae", F1()])
model.fit(x, y, batch_size=16, epochs=3, validation_split=0.2, verbose=0)
score = model.evaluate(x, y, verbose=0)
print(score)
