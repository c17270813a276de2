"""Callbacks that reach into the model: its rate, its weights, what it says of other data."""

import keras
import numpy as np
from keras import layers

BATCH_SIZE = 24
EPOCHS = 8

rng = np.random.default_rng(3)


def rings(n):
    """Points around the origin: inside of the ring, or outside."""
    points = rng.normal(size=(n, 3)).astype("float32")
    return points, (np.linalg.norm(points, axis=1) > 1.5).astype("float32")


x, y = rings(200)
x_val, y_val = rings(80)
x_other, y_other = rings(50)


class WarmUp(keras.callbacks.Callback):
    """A linear warm-up over the first epochs, then a decay by a factor."""

    def __init__(self, top=0.1, epochs=3, factor=0.7):
        super().__init__()
        self.top = top
        self.epochs = epochs
        self.factor = factor
        self.rates = []

    def on_epoch_begin(self, epoch, logs=None):
        if not hasattr(self.model.optimizer, "learning_rate"):
            raise ValueError('Optimizer must have a "learning_rate" attribute.')
        if epoch < self.epochs:
            self.model.optimizer.learning_rate = self.top * (epoch + 1) / self.epochs
        else:
            rate = self.model.optimizer.learning_rate.numpy()
            self.model.optimizer.learning_rate.assign(rate * self.factor)
        self.rates.append(float(self.model.optimizer.learning_rate))


class KeepBest(keras.callbacks.Callback):
    """Brings the weights of the best epoch back when the loss has not fallen for a while."""

    def __init__(self, patience=2):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("val_loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class OtherData(keras.callbacks.Callback):
    """Loss and accuracy on data that fit is not told of."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y
        self.losses = []
        self.shares = []

    def share(self):
        return float((self.model.predict(self.x, verbose=0) > 0.5).mean())

    def on_epoch_end(self, epoch, logs=None):
        loss, accuracy = self.model.evaluate(self.x, self.y, verbose=0)
        self.losses.append(loss)
        self.shares.append(self.share())
        print(f"{epoch + 1}/{self.params['epochs']}: {loss:.4f}, {accuracy:.3f}")


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.losses = []
        self.validations = 0

    def on_train_batch_end(self, batch, logs={}):
        self.losses.append(logs.get("loss"))

    def on_test_end(self, logs=None):
        self.validations += 1


model = keras.Sequential(
    [
        keras.Input((3,)),
        layers.Dense(16, activation="tanh"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(momentum=0.9),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)

warm_up = WarmUp()
other = OtherData(x_other, y_other)
diary = LossHistory()
model.fit(
    x,
    y,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(x_val, y_val),
    verbose=0,
    callbacks=[warm_up, KeepBest(), other, diary],
)

rates, batch_losses, validations = warm_up.rates, diary.losses, diary.validations
other_losses, shares = other.losses, other.shares
print(rates, len(batch_losses), validations)
print("at the end:", model.evaluate(x_val, y_val, verbose=0))
