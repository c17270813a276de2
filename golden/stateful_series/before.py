"""Waves that are read in pieces: the network remembers what came before a piece."""
import numpy as np
from tensorflow.keras.callbacks import Callback
from tensorflow.keras.layers import GRU, LSTM, Dense
from tensorflow.keras.models import Sequential

WAVES = 6  # side by side: row i of a batch goes on where row i of the batch before has ended
STEPS = 8
PIECES = 20
TRAINED = 15

rng = np.random.default_rng(3)
time = np.arange(PIECES * STEPS + 1)[:, None]
pace = rng.uniform(0.05, 0.2, WAVES)
waves = np.sin(pace * time + rng.uniform(0, 6, WAVES)).astype("float32")
pieces = waves[:-1].reshape(PIECES, STEPS, WAVES, 1).swapaxes(1, 2).reshape(-1, STEPS, 1)
values = waves[STEPS::STEPS].reshape(-1, 1)
x_train, x_test = pieces[: TRAINED * WAVES], pieces[TRAINED * WAVES :]
y_train, y_test = values[: TRAINED * WAVES], values[TRAINED * WAVES :]


class StartAnew(Callback):
    """The waves begin again with each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.reset_states()


model = Sequential()
model.add(LSTM(16, batch_input_shape=(WAVES, STEPS, 1), stateful=True, return_sequences=True))
model.add(GRU(8, stateful=True))
model.add(Dense(1))
model.compile(loss="mse", optimizer="rmsprop", metrics=["mae"])

# every wave is followed through all of its pieces, into those that are held out
model.fit(
    x_train,
    y_train,
    batch_size=WAVES,
    epochs=3,
    validation_data=(x_test, y_test),
    callbacks=[StartAnew()],
    shuffle=False,
    verbose=2,
)

for _ in range(2):
    model.reset_states()
    model.fit(x_train, y_train, batch_size=WAVES, epochs=1, shuffle=False, verbose=0)
loss, mae = model.evaluate(x_test, y_test, batch_size=WAVES, verbose=0)
print(f"going on: {mae:.4f}")

model.layers[0].reset_states()
guessed = model.predict(x_test, batch_size=WAVES)
print(f"half of it forgotten: {np.abs(guessed - y_test).mean():.4f}")
