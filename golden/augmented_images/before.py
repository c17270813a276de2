"""Small images, changed by chance while it trains, into a net of separable convolutions."""

import keras
import numpy as np
from keras import layers

SIZE = 20
CLASSES = 4
BATCH_SIZE = 16
FLIPS = "horizontal"

rng = np.random.default_rng(0)
y = rng.integers(0, CLASSES, 160)
x = rng.integers(0, 120, (160, SIZE, SIZE, 3)) + 30 * y[:, None, None, None]
x = x.astype("uint8")

augment = keras.Sequential(
    [
        layers.RandomFlip(FLIPS),
        layers.RandomRotation(0.05),
        layers.RandomZoom(0.1),
    ],
    name="augment",
)

inputs = keras.Input((SIZE, SIZE, 3))
features = augment(inputs)
features = layers.Rescaling(1.0 / 127.5, offset=-1)(features)
features = layers.GaussianNoise(0.05)(features)
features = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(features)
features = layers.GroupNormalization(4)(features)
features = layers.SeparableConv2D(16, 3, strides=2, padding="same")(features)
features = layers.ReLU()(features)
features = layers.DepthwiseConv2D(3, depth_multiplier=2)(features)
features = layers.Cropping2D(1)(features)
features = layers.SpatialDropout2D(0.1)(features)
features = layers.GlobalAveragePooling2D()(features)
outputs = layers.Dense(CLASSES, activation="softmax")(features)
model = keras.Model(inputs, outputs)

model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=BATCH_SIZE, epochs=4, validation_split=0.2)
print(model.evaluate(x, y, verbose=0))
