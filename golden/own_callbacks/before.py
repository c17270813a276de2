"""Callbacks of the script's own: one that has seen enough, and one that keeps a diary."""

import keras
import numpy as np
from keras import layers

BATCH_SIZE = 20

rng = np.random.default_rng(0)
x = rng.normal(size=(240, 10)).astype("float32")
y = (x[:, :5].sum(axis=1) > 0).astype("float32")


class Enough(keras.callbacks.Callback):
    """Stops as soon as a metric has reached a value."""

    def __init__(self, monitor="val_accuracy", value=0.9):
        super().__init__()
        self.monitor = monitor
        self.value = value

    def on_epoch_end(self, epoch, logs=None):
        if logs.get(self.monitor) >= self.value:
            print(f"enough after {epoch + 1} epochs")
            self.model.stop_training = True


class Diary(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        """Before the first epoch."""
        self.losses, self.batches, self.epochs = [], 0, []

    def on_epoch_begin(self, epoch, logs={}):
        self.epochs.append(epoch)

    def on_batch_end(self, batch, logs={}):
        # every second one
        if batch % 2:
            self.batches += 1

    def on_epoch_end(self, epoch, logs={}):
        self.losses.append(logs["loss"])

    def on_train_end(self, logs={}):
        print("the last loss:", logs["loss"], "after", len(self.epochs))


model = keras.Sequential(
    [
        keras.Input((10,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
diary = Diary()
model.fit(
    x,
    y,
    batch_size=BATCH_SIZE,
    epochs=12,
    validation_split=0.25,
    verbose=0,
    callbacks=[Enough(value=0.8), diary],
)
losses, batches = diary.losses, diary.batches
print(losses, batches)
