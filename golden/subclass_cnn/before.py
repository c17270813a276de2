"""Textures in small images: a convolutional network as a class, with attention over channels."""
import keras
import numpy as np
from keras import layers


class SqueezeExcite(layers.Layer):
    """Channels are weighted by what is in the whole image."""

    def __init__(self, ratio=4):
        super().__init__()
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        self.pool = layers.GlobalAveragePooling2D(keepdims=True)
        self.squeeze = layers.Dense(channels // self.ratio, activation="relu")
        self.excite = layers.Dense(channels, activation="sigmoid")
        super().build(input_shape)

    def call(self, x):
        return x * self.excite(self.squeeze(self.pool(x)))


class Textures(keras.Model):
    def __init__(self, filters=8, classes=3):
        super().__init__()
        self.conv1 = layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.attend = SqueezeExcite()
        self.pool = layers.MaxPooling2D()
        self.conv2 = layers.Conv2D(2 * filters, 3, strides=2, padding="same")
        self.norm = layers.BatchNormalization()
        self.relu = layers.ReLU()
        self.flatten = layers.Flatten()
        self.dropout = layers.Dropout(0.3)
        self.head = layers.Dense(classes)

    def call(self, inputs):
        x = self.conv1(inputs)
        x = self.attend(x)
        x = self.pool(x)
        x = self.relu(self.norm(self.conv2(x)))
        x = self.dropout(self.flatten(x))
        return self.head(x)


rng = np.random.RandomState(1)
kind = rng.randint(0, 3, size=360)
images = rng.uniform(size=(360, 12, 12, 1)).astype("float32")
images[kind == 1, ::2] += 0.5
images[kind == 2, :, ::3] += 0.5

model = Textures()
model.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(images, kind, epochs=4, batch_size=30)
