"""Viscosity of blends from their recipe: cross-validated, then an ensemble of three sizes."""
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

FOLDS = 3
MEMBERS = [12, 24, 36]
EPOCHS = 4

rng = np.random.RandomState(8)
recipes = rng.dirichlet(np.ones(9), size=240).astype("float32")
effects = rng.uniform(-1, 3, size=(9,))
viscosity = recipes @ effects + 2 * recipes[:, 0] * recipes[:, 4] + 0.02 * rng.randn(240)
viscosity = viscosity.astype("float32")
train_x, train_y = recipes[:180], viscosity[:180]
test_x, test_y = recipes[180:], viscosity[180:]


def build_model(units, rate=0.004):
    model = keras.Sequential(name="blend")
    model.add(keras.Input(shape=(9,)))
    model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(units // 2, activation="relu"))
    model.add(layers.Dense(1))
    model.compile(keras.optimizers.RMSprop(rate), loss="mse", metrics=["mae"])
    return model


# a fold is held back in turn
folds = np.arange(len(train_x)) % FOLDS
scores = []
for fold in range(FOLDS):
    held, rest = folds == fold, folds != fold
    model = build_model(MEMBERS[0])
    model.fit(train_x[rest], train_y[rest], epochs=EPOCHS, batch_size=20, verbose=0)
    loss, mae = model.evaluate(train_x[held], train_y[held], verbose=0)
    scores.append(mae)
print("cross-validated mae: %.3f (%.3f)" % (np.mean(scores), np.std(scores)))

# the members of the ensemble see all of it, and are averaged
members = []
for units in MEMBERS:
    member = build_model(units)
    member.fit(train_x, train_y, epochs=EPOCHS, batch_size=20, verbose=0)
    members.append(member)

votes = np.stack([member.predict(test_x, verbose=0)[:, 0] for member in members])
error = np.abs(votes.mean(axis=0) - test_y).mean()
alone = [np.abs(vote - test_y).mean() for vote in votes]
print("members:", np.round(alone, 3), "ensemble: %.3f" % error)
