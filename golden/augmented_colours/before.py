"""Tells coloured tiles apart, whose colours, edges and places change by chance in training."""

import keras
import numpy as np
from keras import layers

NUM_CLASSES = 4
SIZE = 24

rng = np.random.default_rng(0)
labels = rng.integers(0, NUM_CLASSES, 160)
images = rng.uniform(0, 80, (160, SIZE, SIZE, 3)).astype("float32")
for image, label in zip(images, labels):
    image[4 : 12 + 2 * label, 4:18] += [40 * label, 160 - 40 * label, 60]

augment = keras.Sequential(
    [
        layers.RandomShear(x_factor=0.2),
        layers.RandomColorJitter(brightness_factor=0.1, saturation_factor=0.2, hue_factor=0.05),
        layers.RandomSharpness(0.6),
        layers.RandomErasing(factor=0.5, scale=(0.02, 0.1), fill_value=0),
    ],
    name="augment",
)

model = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 3)),
        augment,
        layers.RandomGrayscale(0.2),
        layers.RandomGaussianBlur(0.5, kernel_size=5, sigma=(0.1, 1.0)),
        layers.Solarization(threshold_factor=0.1),
        layers.AutoContrast(),
        layers.Resizing(16, 16),
        layers.Rescaling(1 / 255),
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(NUM_CLASSES, activation="softmax"),
    ]
)
model.compile(
    keras.optimizers.SGD(0.05, momentum=0.9),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(images[:128], labels[:128], batch_size=16, epochs=3)
print(history.history["accuracy"])
print(model.evaluate(images[128:], labels[128:]))
