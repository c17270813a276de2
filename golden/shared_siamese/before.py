"""Do two sketches show the same kind of curve? One network looks at both of them."""

import keras
import numpy as np
from keras import layers, regularizers

LENGTH = 24
N_KINDS = 4
FEATURES = 16
BATCH_SIZE = 32
EPOCHS = 5


def make_pairs(n, seed):
    """Pairs of noisy waves, and whether both have the same number of periods."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(1, N_KINDS + 1, size=(n, 2))
    kinds[::2, 1] = kinds[::2, 0]
    time = np.linspace(0, 2 * np.pi, LENGTH)
    waves = np.sin(kinds[..., None] * time) + rng.normal(scale=0.3, size=(n, 2, LENGTH))
    return waves.astype("float32"), (kinds[:, 0] == kinds[:, 1]).astype("float32")


def build_base_network(length):
    """The network that both sketches go through."""
    inputs = keras.Input(shape=(length,))
    x = layers.Dense(32, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(FEATURES, activation="tanh", kernel_regularizer=regularizers.l2(1e-3))(x)
    return keras.Model(inputs, x)


pairs_train, same_train = make_pairs(400, seed=0)
pairs_test, same_test = make_pairs(100, seed=1)

base_network = build_base_network(LENGTH)

left = keras.Input(shape=(LENGTH,))
right = keras.Input(shape=(LENGTH,))

# the same weights for both
features_left = base_network(left)
features_right = base_network(right)

difference = layers.Subtract()([features_left, features_right])
product = layers.Multiply()([features_left, features_right])
x = layers.Concatenate()([difference, product])
x = layers.Dense(8, activation="relu")(x)
same = layers.Dense(1, activation="sigmoid")(x)

model = keras.Model([left, right], same, name="siamese")
model.compile(
    optimizer=keras.optimizers.RMSprop(1e-3),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    [pairs_train[:, 0], pairs_train[:, 1]],
    same_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=([pairs_test[:, 0], pairs_test[:, 1]], same_test),
    verbose=0,
)

scores = model.predict([pairs_test[:, 0], pairs_test[:, 1]], verbose=0)
print("accuracy:", np.mean((scores[:, 0] > 0.5) == same_test))

# what the shared network makes of a sketch
features = base_network.predict(pairs_test[:, 0], verbose=0)
print("mean feature:", features.mean(axis=0).round(2))
