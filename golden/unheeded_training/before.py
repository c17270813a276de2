"""A base called in inference mode, then unfrozen: Keras 3 trains its statistics all the same."""

import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(3)
rng = np.random.default_rng(3)
x_train = rng.normal(1.0, 2.0, (256, 16, 16, 3)).astype("float32")
print("samples:", len(x_train), "largest:", x_train.max())
centre = slice(4, 12)
y_train = x_train[:, centre, centre].mean((1, 2, 3), keepdims=True).reshape(-1, 1)

image = keras.Input((16, 16, 3))
h = layers.Conv2D(12, 3, padding="same", use_bias=False)(image)
h = layers.BatchNormalization()(h)
h = layers.ReLU()(h)
h = layers.Conv2D(16, 3, strides=2, padding="same")(h)
base = keras.Model(image, h, name="base")
base.trainable = False

inputs = keras.Input((16, 16, 3))
x = base(inputs, training=False)
x = layers.GlobalAveragePooling2D()(x)
x = layers.BatchNormalization()(x, training=True)
x = layers.Dense(8, activation="relu")(x)
outputs = layers.Dense(1)(x)
model = keras.Model(inputs, outputs)
model.compile(keras.optimizers.SGD(0.05), "mse")
model.fit(x_train, y_train, epochs=2, batch_size=32)

base.trainable = True
model.compile(keras.optimizers.SGD(0.01), "mse")
history = model.fit(x_train, y_train, epochs=2, batch_size=32)
print(history.history["loss"], model.evaluate(x_train, y_train))
