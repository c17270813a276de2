"""Two answers about a transaction: of which kind it is, and whether it is a fraud."""

import keras
import numpy as np
from keras import layers

EPOCHS, BATCH_SIZE = 3, 32

rng = np.random.default_rng(1)
x = rng.normal(size=(300, 16)).astype("float32")
kind = np.eye(4, dtype="float32")[rng.integers(0, 4, 300)]
fraud = (x[:, :1] + 0.3 * rng.normal(size=(300, 1)) > 0.3).astype("float32")

inputs = keras.Input((16,))
h = layers.Dense(32, activation="relu")(inputs)
kind_out = layers.Dense(4, activation="softmax", name="kind")(h)
fraud_out = layers.Dense(1, activation="sigmoid", name="fraud")(h)
model = keras.Model(inputs, [kind_out, fraud_out])

steps = len(x) // BATCH_SIZE * EPOCHS
# up in a line, then down with a cosine
rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=0.05, warmup_steps=10)
model.compile(
    optimizer=keras.optimizers.SGD(rate, momentum=0.9, weight_decay=1e-3),
    loss={"kind": keras.losses.CategoricalFocalCrossentropy(), "fraud": "binary_crossentropy"},
    loss_weights={"kind": 1.0, "fraud": 0.5},
    metrics={
        "kind": ["accuracy", keras.metrics.F1Score(average="macro", name="f1")],
        "fraud": [
            keras.metrics.AUC(name="prc", curve="PR"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.FalseNegatives(name="missed"),
            keras.metrics.RecallAtPrecision(0.8, name="recall"),
        ],
    },
)
history = model.fit(
    x,
    {"kind": kind, "fraud": fraud},
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_split=0.2,
    verbose=0,
)
missed = history.history["val_fraud_missed"]
print(f"frauds missed: {missed}")
