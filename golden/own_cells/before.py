"""The adding problem with recurrent cells of our own: sum the two numbers that are marked."""
import keras
import numpy as np
from keras import layers, ops

STEPS = 12

rng = np.random.default_rng(11)
numbers = rng.uniform(size=(360, STEPS))
marks = np.zeros((360, STEPS))
for row in marks:
    row[rng.choice(STEPS, 2, replace=False)] = 1
x = np.stack([numbers, marks], axis=-1).astype("float32")
y = (numbers * marks).sum(axis=1, keepdims=True).astype("float32")


class MinimalCell(layers.Layer):
    """The cell of the Keras documentation."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="orthogonal", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs, states):
        before = states[0]
        h = ops.matmul(inputs, self.kernel)
        output = ops.tanh(h + ops.matmul(before, self.recurrent_kernel))
        return output, [output]


class LeakyMemory(layers.Layer):
    """A slow and a fast state; a gate decides how much of the fast one goes on."""

    def __init__(self, units, leak=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.leak = leak
        self.state_size = [units, units]

    def build(self, input_shape):
        width = input_shape[-1] + self.units
        self.candidate = self.add_weight(shape=(width, self.units), name="candidate")
        self.gate = self.add_weight(shape=(width, self.units), name="gate")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, inputs, states):
        fast, slow = states
        seen = ops.concatenate([inputs, fast], axis=-1)
        gate = ops.sigmoid(ops.matmul(seen, self.gate) + self.bias)
        fast = gate * fast + (1 - gate) * ops.tanh(ops.matmul(seen, self.candidate))
        slow = slow + self.leak * (fast - slow)
        # what comes out is not what goes on
        return fast + slow, [fast, slow]


inputs = keras.Input((STEPS, 2))
h = layers.RNN(MinimalCell(10), return_sequences=True)(inputs)
memory = layers.RNN(LeakyMemory(12, leak=0.2), name="memory")(h)
# and once from the end
backwards = layers.RNN(MinimalCell(6), go_backwards=True)(inputs)
h = layers.concatenate([memory, backwards])
model = keras.Model(inputs, layers.Dense(1)(h))

model.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9), loss="mse", metrics=["mae"])
model.fit(x[:300], y[:300], batch_size=20, epochs=4, validation_data=(x[300:], y[300:]), verbose=2)
loss, mae = model.evaluate(x[300:], y[300:], verbose=0)
print(f"mean squared error {loss:.4f}, mean absolute error {mae:.4f}")
print(model.predict(x[300:304], verbose=0).round(2).ravel(), y[300:304].ravel().round(2))
