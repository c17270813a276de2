"""Inputs and outputs in dicts, the features of the model as a model of their own."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(11)
x = {"left": rng.normal(size=(200, 4)), "right": rng.normal(size=(200, 6))}
x = {name: part.astype("float32") for name, part in x.items()}
size = (x["left"][:, :1] * x["right"][:, :1]).astype("float32")
kind = (x["left"].sum(axis=1) > 0) * 1 + (x["right"].sum(axis=1) > 0)

inputs = {
    "left": keras.Input((4,), name="left"),
    "right": keras.Input((6,), name="right"),
}
merged = layers.concatenate([inputs["left"], inputs["right"]])
trunk = layers.Dense(24, activation="relu", name="trunk")(merged)
outputs = {
    "size": layers.Dense(1)(trunk),
    "kind": layers.Dense(3, activation="softmax")(trunk),
}
model = keras.Model(inputs=inputs, outputs=outputs)

model.compile(
    optimizer=keras.optimizers.SGD(0.05),
    loss={"size": "mse", "kind": "sparse_categorical_crossentropy"},
    loss_weights={"size": 0.5, "kind": 1.0},
    metrics={"kind": ["accuracy"]},
)
model.fit(x, {"size": size, "kind": kind}, epochs=6, batch_size=20)

guesses = model.predict(x)
print("kinds:", guesses["kind"].argmax(axis=1)[:10], "sizes:", guesses["size"][:3, 0])

features = keras.Model(model.inputs, model.get_layer("trunk").output)
codes = features.predict({"left": x["left"][:8], "right": x["right"][:8]})
print("codes:", codes.mean())
