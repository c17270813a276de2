"""Two models from one builder: does a wider network with less dropout pay off?"""
import keras
import numpy as np
from keras import layers

SEED = 99
EPOCHS = 5


def build_model(n_classes, hidden=32, dropout=0.2):
    """A compiled classifier for 2-D points."""
    model = keras.Sequential(
        [
            keras.Input(shape=(2,)),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(hidden, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.01, beta_1=0.8),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    return model


def make_spirals(n_classes, n, seed=SEED):
    """n points on n_classes spiral arms."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, n_classes, n)
    radius = rng.uniform(0.1, 1, n)
    angle = 2.0 * radius + 2 * np.pi * label / n_classes + rng.normal(scale=0.1, size=n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype("float32"), label


# three arms, the default network
x3, y3 = make_spirals(3, 330)
small = build_model(3)
small_history = small.fit(x3, y3, epochs=EPOCHS, validation_split=0.1, verbose=0)

# four arms need more
x4, y4 = make_spirals(4, 400, seed=SEED + 1)
large = build_model(n_classes=4, hidden=48, dropout=0.1)
large_history = large.fit(x4, y4, epochs=EPOCHS, validation_split=0.1, verbose=0)

for name, history in [("small", small_history), ("large", large_history)]:
    print(name)
    for key, values in sorted(history.history.items()):
        print("   ", key, np.round(values, 3).tolist())

print("parameters:", small.count_params(), large.count_params())
print("small:", small.evaluate(x3, y3, verbose=0))
print("large:", large.evaluate(x4, y4, verbose=0))
