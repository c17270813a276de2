"""An autoencoder of signals: three models made of the same layers."""

import keras
import numpy as np
from keras import layers

LENGTH = 20
CODE = 5
BATCH_SIZE = 20
EPOCHS = 5

rng = np.random.default_rng(0)
phase = rng.uniform(0, 2 * np.pi, size=(300, 1))
speed = rng.uniform(0.2, 1.0, size=(300, 1))
signals = (np.sin(phase + speed * np.arange(LENGTH)) / 2 + 0.5).astype("float32")

signal = keras.Input(shape=(LENGTH,))
x = layers.Dense(12, activation="relu")(signal)
code = layers.Dense(CODE, name="code")(x)
x = layers.Dense(12, activation="relu", name="widened")(code)
restored = layers.Dense(LENGTH, activation="sigmoid")(x)

# from a signal to the signal
autoencoder = keras.Model(signal, restored)
# from a signal to its code
encoder = keras.Model(signal, code)
# from a code to the signal, by the autoencoder's last layers
some_code = keras.Input(shape=(CODE,))
decoder = keras.Model(some_code, autoencoder.layers[-1](autoencoder.layers[-2](some_code)))

autoencoder.compile(optimizer=keras.optimizers.SGD(1.0), loss="binary_crossentropy")
autoencoder.fit(signals, signals, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)

codes = encoder.predict(signals[:100], verbose=0)
print("error:", np.abs(decoder.predict(codes, verbose=0) - signals[:100]).mean())

# what goes on inside
inside = keras.Model(autoencoder.input, autoencoder.get_layer("widened").output)
print("silent units:", (inside.predict(signals, verbose=0).max(axis=0) == 0).sum())
