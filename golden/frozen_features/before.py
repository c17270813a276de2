"""Features learned on one task serve another: they are frozen, and the head is trained anew."""

import keras
import numpy as np
from keras import layers

BATCH_SIZE = 32
EPOCHS = 2

rng = np.random.default_rng(0)
images = rng.random((320, 12, 12, 1)).astype("float32")
bright = (images.mean(axis=(1, 2, 3)) > 0.5).astype("float32")
tilted = (images[:, :6].mean(axis=(1, 2, 3)) > images[:, 6:].mean(axis=(1, 2, 3))).astype("float32")

model = keras.Sequential(
    [
        keras.Input((12, 12, 1)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.25),
        layers.Dense(1, activation="sigmoid"),
    ]
)


def train(labels):
    """Compiled anew, the model trains what is not frozen."""
    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        images[:256],
        labels[:256],
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(images[256:], labels[256:]),
        verbose=0,
    )
    loss, accuracy = model.evaluate(images[256:], labels[256:], verbose=0)
    print(f"loss {loss:.4f}, accuracy {accuracy:.3f}")


train(bright)

# the convolutions stay as they are
for layer in model.layers[:5]:
    layer.trainable = False
train(tilted)

# at last everything learns, but the statistics of the first task are kept
for layer in model.layers:
    if not isinstance(layer, layers.BatchNormalization):
        layer.trainable = True
train(tilted)
