"""Readings of sensors that start and stop: what is missing is -1 throughout."""
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import GRU, LSTM, Add, Dense, Input, Masking, SimpleRNN
from tensorflow.keras.models import Model

STEPS = 8
SENSORS = 3
MISSING = -1.0

rng = np.random.RandomState(2)
readings = rng.normal(size=(240, STEPS, SENSORS)).astype("float32")
level = np.cumsum(readings[..., 0] * readings[..., 1], axis=1)[..., None].astype("float32")
# gaps anywhere, and devices that stop for good
gaps = rng.rand(240, STEPS) < 0.15
stopped = np.arange(STEPS) >= rng.randint(2, STEPS + 1, size=(240, 1))
readings[gaps | stopped] = MISSING


def build_model():
    inputs = Input(shape=(STEPS, SENSORS), name="readings")
    x = Masking(mask_value=MISSING)(inputs)
    x, state = GRU(8, return_sequences=True, return_state=True)(x)
    y = SimpleRNN(8, activation="relu", return_sequences=True)(x, initial_state=state)
    x = Add()([x, y])
    x = LSTM(8, return_sequences=True, go_backwards=True)(x)
    return Model(inputs, Dense(1)(x))


model = build_model()
model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
model.fit(readings[:200], level[:200], batch_size=25, epochs=5, validation_split=0.2, verbose=2)
scores = model.evaluate(readings[200:], level[200:], verbose=0)
print("loss %.4f, mean absolute error %.4f" % tuple(scores))
