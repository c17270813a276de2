import numpy as np
import keras
from keras import layers, ops

class Ranker(keras.Model):
    """The score of an item for a user, and whether it will be clicked."""

    def __init__(self, users, items, width=8):
        super().__init__()
        self.user = layers.Embedding(users, width)
        self.item = layers.Embedding(items, width)
        self.hidden = layers.Dense(16, activation="relu")
        self.score = layers.Dense(1)
        self.click = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        u = self.user(inputs["user"])
        v = self.item(inputs["item"])
        x = ops.concatenate([u, v, inputs["price"]], axis=-1)
        x = self.hidden(x)
        return self.score(x), self.click(x)

rng = np.random.default_rng(0)
data = {
    "user": rng.integers(0, 50, 480),
    "item": rng.integers(0, 80, 480),
    "price": rng.random((480, 1)).astype("float32"),
}
score = rng.random((480, 1)).astype("float32")
click = rng.integers(0, 2, (480, 1)).astype("float32")

model = Ranker(50, 80)
model.compile("adam", loss=["mse", "binary_crossentropy"], loss_weights=[1.0, 0.2], metrics=[["mae"],["accuracy"]])
model.fit(data, [score, click], batch_size=64, epochs=3)
scores, clicks = model.predict(data)
print(scores[:3], clicks[:3])
