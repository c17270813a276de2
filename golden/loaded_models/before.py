"""A small and a wide network for one task; each is brought back from its file and judged."""

import os

import keras
import numpy as np
from keras import layers
from keras.callbacks import ModelCheckpoint

FOLDER = "weights"
BEST = os.path.join(FOLDER, "best.keras")
CLASSES = 3


def make_data(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 12)).astype("float32")
    y = (x[:, :CLASSES] + 0.5 * x[:, CLASSES : 2 * CLASSES] ** 2).argmax(axis=1)
    return x, y


def build(units, depth=2, rate=0.0):
    inputs = keras.Input((12,))
    x = inputs
    for _ in range(depth):
        x = layers.Dense(units, activation="relu")(x)
        x = layers.BatchNormalization()(x)
    x = layers.Dropout(rate)(x)
    outputs = layers.Dense(CLASSES, activation="softmax")(x)
    return keras.Model(inputs, outputs)


os.makedirs(FOLDER, exist_ok=True)
x_train, y_train = make_data(320, seed=0)
x_test, y_test = make_data(80, seed=1)

# the small one: the best of its epochs is kept
small = build(8)
small.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
small.fit(
    x_train,
    y_train,
    epochs=4,
    validation_data=(x_test, y_test),
    callbacks=[ModelCheckpoint(BEST, monitor="val_loss", save_best_only=True)],
    verbose=0,
)

# the wide one: as it is at the end
wide = build(16, rate=0.2)
wide.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
wide.fit(x_train, y_train, epochs=2, verbose=0)
wide.save(os.path.join(FOLDER, "wide.keras"))

best = keras.models.load_model(BEST)
loss_best, accuracy_best = best.evaluate(x_test, y_test, verbose=0)
print("small, best epoch:", loss_best, accuracy_best)

restored = keras.models.load_model(os.path.join(FOLDER, "wide.keras"), compile=True)
loss_wide, accuracy_wide = restored.evaluate(x_test, y_test, verbose=0)
same = np.allclose(restored.predict(x_test, verbose=0), wide.predict(x_test, verbose=0))
print("wide:", loss_wide, accuracy_wide, "the same:", same)
