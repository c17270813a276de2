"""A small CNN, then what its inner layers make of images."""

import numpy as np
from tensorflow.keras import Model, layers, models

CLASSES = 3
rng = np.random.default_rng(5)
labels = rng.integers(0, CLASSES, 320)
images = rng.normal(0, 0.3, (320, 14, 14, 1)).astype("float32")
images[np.arange(320), 3 + 4 * labels] += 1.0

model = models.Sequential(
    [
        layers.Conv2D(8, 3, activation="relu", input_shape=(14, 14, 1)),
        layers.MaxPooling2D(2),
        layers.Conv2D(12, 3, activation="relu", name="last_conv"),
        layers.Flatten(),
        layers.Dropout(0.1),
        layers.Dense(16, activation="relu", name="features"),
        layers.Dense(CLASSES, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images, labels, epochs=3, batch_size=32)

# features of the images, for another classifier
extractor = Model(inputs=model.input, outputs=model.get_layer("features").output)
features = extractor.predict(images)
print(features.shape, features.mean())

# the maps of the first layers
maps = Model(model.inputs, [layer.output for layer in model.layers[:3]])
for activation in maps.predict(images[:8]):
    print(activation.shape, activation.mean())

# class probabilities behind the last convolution's maps
both = Model([model.inputs], [model.get_layer("last_conv").output, model.output])
last, probabilities = both.predict(images[:8])
print(last.shape, probabilities.sum(axis=1))
