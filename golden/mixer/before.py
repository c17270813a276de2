"""Patterns on a grid of patches: an MLP-Mixer, its blocks layers of their own."""
import keras
import numpy as np
from keras import layers, ops

PATCH = 4
CLASSES = 4


class Patches(layers.Layer):
    """Cuts images into patches, one after the other in a sequence."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, images):
        batch = ops.shape(images)[0]
        rows, columns, channels = images.shape[1:]
        high, wide = rows // self.size, columns // self.size
        x = ops.reshape(images, (batch, high, self.size, wide, self.size * channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4))
        return ops.reshape(x, (batch, high * wide, self.size * self.size * channels))


class MixerBlock(layers.Layer):
    """Mixes what is at one place of all patches, then what is in each patch."""

    def __init__(self, patches, width, hidden, rate=0.1):
        super().__init__()
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.across = keras.Sequential(
            [layers.Dense(hidden, activation="gelu"), layers.Dropout(rate), layers.Dense(patches)]
        )
        self.within = keras.Sequential(
            [layers.Dense(hidden, activation="gelu"), layers.Dropout(rate), layers.Dense(width)]
        )

    def call(self, inputs, training=None):
        x = ops.transpose(self.norm1(inputs), (0, 2, 1))
        x = self.across(x, training=training)
        x = inputs + ops.transpose(x, (0, 2, 1))
        return x + self.within(self.norm2(x), training=training)


rng = np.random.RandomState(0)
kind = rng.randint(0, CLASSES, size=420)
images = rng.uniform(0, 0.6, size=(420, 16, 16, 3)).astype("float32")
for number in range(CLASSES):
    row, column = divmod(number, 2)
    images[kind == number, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] += 0.2

inputs = keras.Input((16, 16, 3))
x = Patches(PATCH)(inputs)
x = layers.Dense(24)(x)
for _ in range(2):
    x = MixerBlock(16, 24, hidden=32)(x)
x = layers.LayerNormalization(epsilon=1e-6)(x)
x = layers.GlobalAveragePooling1D()(x)
model = keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(images[:360], kind[:360], batch_size=30, epochs=3, validation_split=0.1)
print("test:", model.evaluate(images[360:], kind[360:], verbose=0))
