"""Small images, with Lambda layers between the convolutions."""
import numpy as np
import keras
from keras import layers, ops

x_train = np.random.default_rng(0).normal(size=(200, 12, 12, 3)).astype("float32")
y_train = np.random.default_rng(1).integers(0, 3, 200)

model = keras.Sequential([
    keras.Input((12, 12, 3)),
    layers.Lambda(lambda x: x / 2.0 - 0.1),
    layers.Conv2D(8, 3, padding="same"),
    layers.Lambda(lambda x: x * ops.sigmoid(x)),
    # the strongest of each pixel beside its mean
    layers.Lambda(lambda x: ops.concatenate([ops.max(x, axis=-1, keepdims=True), ops.mean(x, axis=-1, keepdims=True)], axis=-1)),
    layers.Conv2D(8, 3),
    layers.Lambda(lambda x: ops.mean(x, axis=(1, 2))),
    layers.Dense(3, activation="softmax"),
])
model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2, batch_size=16)

print("images of each kind:", np.bincount(y_train))
loss, accuracy = model.evaluate(x_train, y_train, verbose=0)
print(f"loss {loss:.4f}")
print(f"accuracy {accuracy:.4f}")
