"""Three classes of uneven size from numbers, with a dense network."""

import keras
import numpy as np
from keras import layers

BATCH_SIZE = 32
EPOCHS = 3

keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x = rng.normal(scale=0.02, size=(360, 8)).astype("float32")
y = np.digitize(x[:, 0] + x[:, 1], [-0.03, 0.02])
x_train, y_train, x_test, y_test = x[:260], y[:260], x[260:], y[260:]

model = keras.Sequential(
    [
        layers.Dense(24, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(3, activation="softmax"),
    ]
)
model.compile(
    optimizer="adam",
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(x_test, y_test),
    verbose=0,
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
probabilities = model.predict(x_test, verbose=0)
