"""Depth from hyperparameters: the layers are stacked in loops."""
import numpy as np
from keras.layers import Dense, Dropout, Input
from keras.models import Sequential
from keras.optimizers import Nadam

# ------------------------------------------------------------------ hyperparameters
params = {
    "lr": 2e-3,
    "batch_size": 40,
    "epochs": 5,
}
n_features = 8
n_classes = 3
n_layers = 3       # layers of equal width after the funnel
tail_units = 16
use_dropout = True
drop_rate = 0.15
verbose = False

# ------------------------------------------------------------------ data: three rings
rng = np.random.default_rng(8)
y = rng.integers(0, n_classes, size=500)
x = rng.normal(size=(500, n_features))
x *= ((y + 1) * 1.0 / np.linalg.norm(x, axis=1))[:, None]
x += rng.normal(scale=0.05, size=x.shape)
x = x.astype("float32")
x_train, y_train, x_test, y_test = x[:380], y[:380], x[380:], y[380:]

# ------------------------------------------------------------------ model
model = Sequential()
model.add(Input(shape=(n_features,)))

for units in [64, 32, 16]:
    model.add(Dense(units, activation="relu"))
    if use_dropout:
        model.add(Dropout(drop_rate))

for i in range(n_layers):
    model.add(Dense(tail_units, activation="tanh", name=f"tail_{i}"))

# output
if n_classes == 2:
    model.add(Dense(1, activation="sigmoid"))
    loss = "binary_crossentropy"
else:
    model.add(Dense(n_classes, activation="softmax"))
    loss = "sparse_categorical_crossentropy"

if verbose:
    model.summary()

model.compile(loss=loss, optimizer=Nadam(learning_rate=params["lr"]), metrics=["accuracy"])
result = model.fit(
    x_train,
    y_train,
    batch_size=params["batch_size"],
    epochs=params["epochs"],
    validation_data=(x_test, y_test),
    verbose=1 if verbose else 0,
)

best = int(np.argmin(result.history["val_loss"]))
print("best epoch:", best + 1, "val_loss: %.4f" % result.history["val_loss"][best])
print("last accuracy: %.4f" % result.history["accuracy"][-1])
