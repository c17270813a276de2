"""Reverses short sequences of digits: an encoder, a repeated vector, a decoder."""

import numpy as np
from keras import layers
from keras.models import Sequential

DIGITS = 6
STEPS = 5
LAYERS = 2

rng = np.random.default_rng(0)
numbers = rng.integers(0, DIGITS, size=(640, STEPS))
one_hot = np.eye(DIGITS, dtype="float32")
x_train, x_test = one_hot[numbers[:512]], one_hot[numbers[512:]]
y_train, y_test = one_hot[numbers[:512, ::-1]], one_hot[numbers[512:, ::-1]]

model = Sequential()
model.add(layers.LSTM(32, input_shape=(STEPS, DIGITS)))
# the decoder gets the encoder's last state at every step
model.add(layers.RepeatVector(STEPS))
for _ in range(LAYERS):
    model.add(layers.LSTM(32, return_sequences=True))
model.add(layers.TimeDistributed(layers.Dense(DIGITS)))
model.add(layers.Activation("softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.summary()

model.fit(x_train, y_train, batch_size=32, epochs=3, validation_data=(x_test, y_test))
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
print(model.predict(x_test[:1]).argmax(-1))
