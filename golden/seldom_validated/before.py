"""Fits a line through noise; validates every other epoch, on batches of another size."""

import keras
import numpy as np
from keras import layers
from keras.callbacks import EarlyStopping, ReduceLROnPlateau

rng = np.random.default_rng(0)
x = rng.normal(size=(64, 8)).astype("float32")
y = x[:, :1] + rng.normal(size=(64, 1)).astype("float32")

model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.3), "mse", metrics=["mae"])

history = model.fit(
    x,
    y,
    batch_size=16,
    epochs=30,
    initial_epoch=2,  # two were spent elsewhere
    validation_split=0.5,
    validation_batch_size=8,
    validation_freq=2,
    callbacks=[
        EarlyStopping(patience=2, restore_best_weights=True),
        ReduceLROnPlateau(patience=1, cooldown=1),
    ],
    verbose=0,
)
print(len(history.history["loss"]), "epochs,", len(history.history["val_loss"]), "validations")
print("rates", history.history["learning_rate"])
print("loss, mae", model.evaluate(x, y, steps=3))
