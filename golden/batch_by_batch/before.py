"""A regression trained batch by batch in a loop of its own, which stops when it has had enough."""

import keras
import numpy as np
from keras import layers

BATCH_SIZE = 32

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 12))
y = np.tanh(x[:, :3]).sum(axis=1)
x_val, y_val = x[200:], y[200:]
x, y = x[:200], y[:200]

inputs = keras.Input((12,))
features = layers.Dense(24, activation="relu", name="features")(inputs)
outputs = layers.Dense(1, kernel_regularizer=keras.regularizers.L2(1e-3))(features)
model = keras.Model(inputs, outputs)

# the features stay as they were drawn
model.get_layer("features").trainable = False
model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9), loss="mse", metrics=["mae"]
)

best = float("inf")
for epoch in range(6):
    losses = []
    for start in range(0, len(x), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        loss, mae = model.train_on_batch(x[rows], y[rows])
        losses.append(loss)
    val_loss, val_mae = model.evaluate(x_val, y_val, batch_size=64, verbose=0)
    print(f"epoch {epoch}: {np.mean(losses):.4f}, validation {val_loss:.4f} ({val_mae:.4f})")
    best = min(best, val_loss)

predictions = model.predict_on_batch(x_val[:10])
print(best, predictions[:, 0])
