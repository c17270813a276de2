"""A regression whose dropout goes on in inference: the spread of its predictions is an error bar."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

rng = np.random.default_rng(5)
x = rng.normal(size=(240, 6)).astype("float32")
y = np.tanh(x[:, :2]).sum(axis=1, keepdims=True).astype("float32")

inputs = keras.Input(shape=(6,))
hidden = layers.Dense(24)(inputs)
# the statistics stay as they are
hidden = layers.BatchNormalization()(hidden, training=False)
hidden = layers.Activation("relu")(hidden)
hidden = layers.Dropout(0.2)(hidden, training=True)
hidden = layers.Dense(16, activation="relu")(hidden)
hidden = layers.GaussianNoise(0.1)(hidden, training=False)
outputs = layers.Dense(1)(hidden)
model = keras.Model(inputs, outputs)

model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss="mse", metrics=["mae"])
model.fit(x[:192], y[:192], batch_size=16, epochs=3, validation_data=(x[192:], y[192:]))

draws = np.stack([model.predict(x[192:], verbose=0) for _ in range(5)])
print("error bars:", draws.std(axis=0).mean())
