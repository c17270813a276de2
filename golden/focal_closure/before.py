"""Rare failures of a pump: a focal loss with its parameters, and metrics of our own."""

import keras
import keras.backend as K
import numpy as np
from keras import layers, ops

GAMMA = 1.5


def make_data(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 12)).astype("float32")
    y = (x[:, :3].sum(axis=1) > 1.8).astype("float32").reshape(-1, 1)
    return x, y


def make_focal(gamma=2.0, alpha=0.25):
    """Focal loss for a sigmoid (Lin et al. 2017)."""

    def focal(y_true, y_pred):
        # keep the logarithms finite
        p = ops.clip(y_pred, K.epsilon(), 1 - K.epsilon())
        positive = -alpha * y_true * ops.power(1 - p, gamma) * ops.log(p)
        negative = -(1 - alpha) * (1 - y_true) * ops.power(p, gamma) * ops.log(1 - p)
        return ops.mean(positive + negative, axis=-1)

    return focal


def dice(y_true, y_pred, smooth=1.0):
    overlap = ops.sum(y_true * y_pred)
    return (2.0 * overlap + smooth) / (ops.sum(y_true) + ops.sum(y_pred) + smooth)


def dice_loss(y_true, y_pred):
    return 1 - dice(y_true, y_pred)


def found(y_true, y_pred):
    return ops.sum(y_true * ops.round(y_pred), axis=-1)


x_train, y_train = make_data(400, seed=0)
x_test, y_test = make_data(100, seed=1)

model = keras.Sequential(
    [
        keras.Input(shape=(12,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(0.5, momentum=0.9),
    loss=make_focal(gamma=GAMMA),
    metrics=["accuracy", found, dice_loss],
)
history = model.fit(x_train, y_train, batch_size=48, epochs=4, validation_split=0.2)
print("dice loss:", history.history["dice_loss"][-1])

loss, accuracy, hits, overlap = model.evaluate(x_test, y_test, batch_size=48)
print(f"loss {loss:.4f}, accuracy {accuracy:.3f}, found {hits:.3f}, dice {1 - overlap:.3f}")
