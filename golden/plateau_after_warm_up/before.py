"""A recurrent net started gently: warm-up, clipped gradients, a lower rate on a plateau."""

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

BASE_RATE = 0.06
WARM_UP = 3
EPOCHS = 10

rng = np.random.default_rng(5)
x = rng.normal(size=(240, 12, 2)).astype("float32")
y = np.tanh(x[:, :, 0].sum(axis=1) * x[:, -1, 1])


def warm_up(epoch, lr):
    """A straight line up to the base rate; from then on what the plateau makes of it."""
    if epoch < WARM_UP:
        return BASE_RATE * (epoch + 1) / WARM_UP
    return lr


inputs = keras.Input((12, 2))
h = layers.SimpleRNN(12)(inputs)
outputs = layers.Dense(1)(h)
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.SGD(BASE_RATE, momentum=0.9, global_clipnorm=0.5),
    loss="mse",
)

history = model.fit(
    x,
    y,
    batch_size=24,
    epochs=EPOCHS,
    validation_split=0.25,
    verbose=0,
    callbacks=[
        keras.callbacks.LearningRateScheduler(warm_up),
        keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss", factor=0.3, patience=1, min_delta=0.01, min_lr=1e-4
        ),
    ],
)

rates = history.history["learning_rate"]
losses = history.history["val_loss"]
figure, (above, below) = plt.subplots(2, sharex=True)
above.plot(losses)
below.semilogy(rates)
figure.savefig("rates.png")
print("rates:", rates)
