"""A long wave that three layers read in pieces; how it is to go on is forgotten after each round."""
import keras
import numpy as np
from keras import layers

BATCH = 4
STEPS = 6
PIECES = 16
ROUNDS = 3

rng = np.random.default_rng(7)
phase = rng.uniform(0, 6, size=(1, BATCH, 1))
time = np.arange(PIECES * STEPS + 1).reshape(-1, 1, 1)
waves = np.sin(0.3 * time + phase) + 0.1 * rng.normal(size=(PIECES * STEPS + 1, BATCH, 1))
x = waves[:-1].reshape(PIECES, STEPS, BATCH, 1).swapaxes(1, 2).reshape(-1, STEPS, 1)
y = waves[STEPS::STEPS].reshape(-1, 1)
x, y = x.astype("float32"), y.astype("float32")

inputs = keras.Input(batch_shape=(BATCH, STEPS, 1))
reader = layers.GRU(12, stateful=True, return_sequences=True, name="reader")
h = reader(inputs)
h = layers.LSTM(10, stateful=True, kernel_regularizer="l2", recurrent_dropout=0.1)(h)
h = layers.SimpleRNN(6, stateful=True, activation="relu")(layers.Reshape((5, 2))(h))
outputs = layers.Dense(1)(h)

model = keras.Model(inputs, outputs)
model.compile("rmsprop", "mse", metrics=["mae"])
for number in range(ROUNDS):
    model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=2)
    for layer in model.layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()

seen = model.predict(x[: BATCH * 8], batch_size=BATCH)
print(f"error so far: {np.abs(seen - y[: BATCH * 8]).mean():.4f}")
reader.reset_state()
rest = slice(BATCH * 8, None)
loss, mae = model.evaluate(x[rest], y[rest], batch_size=BATCH, verbose=0)
print(f"going on: {mae:.4f}")
