"""A classifier is trained; then it ends one model and begins another."""

import keras
import numpy as np
from keras import layers

EPOCHS = 2

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 10)).astype("float32")
labels = (x[:, :5].sum(axis=1) > 0).astype("float32")
y = np.stack([labels, 1 - labels, x[:, 0]], axis=1)

classifier = keras.Sequential(
    [
        keras.Input((10,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ],
    name="classifier",
)
classifier.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
classifier.fit(x, labels, epochs=EPOCHS, verbose=0)

# a layer in front of it, for other inputs
inputs = keras.Input((12,))
adapted = layers.Dense(10, name="adapter")(inputs)
adapter = keras.Model(inputs, classifier(adapted))
adapter.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
wide = np.concatenate([x, x[:, :2]], axis=1)
adapter.fit(wide, labels, epochs=EPOCHS, verbose=0)

# its verdict beside the inputs
inputs = keras.Input((10,))
verdict = classifier(inputs)
joined = layers.concatenate([inputs, verdict])
model = keras.Model(inputs, layers.Dense(3)(joined))
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=EPOCHS, verbose=0)
print(model.evaluate(x, y, verbose=0))
