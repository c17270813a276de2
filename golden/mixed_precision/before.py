"""Handwriting-sized pictures of bars, upright or lying, classified in mixed precision."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, mixed_precision

gpus = tf.config.list_physical_devices("GPU")
for gpu in gpus:
    tf.config.experimental.set_memory_growth(gpu, True)

# half precision for the layers, single precision for the variables
policy = mixed_precision.Policy("mixed_float16")
mixed_precision.set_global_policy(policy)
print("Compute dtype:", policy.compute_dtype)
print("Variable dtype:", policy.variable_dtype)

rng = np.random.default_rng(1)


def bars(n, size=12):
    """Pictures with one bright bar, and how it lies: 0 upright, 1 flat, 2 both."""
    images = rng.normal(scale=0.4, size=(n, size, size, 1)).astype("float32")
    labels = rng.integers(0, 3, n)
    for image, label in zip(images, labels):
        if label != 1:
            image[:, rng.integers(size)] += 1.5
        if label != 0:
            image[rng.integers(size)] += 1.5
    return images, labels


x_train, y_train = bars(320)
x_test, y_test = bars(96)

inputs = keras.Input(shape=(12, 12, 1), name="bars")
x = layers.Conv2D(8, 3, activation="relu")(inputs)
x = layers.MaxPooling2D()(x)
x = layers.Conv2D(16, 3, activation="relu")(x)
x = layers.GlobalMaxPooling2D()(x)
x = layers.Dense(3, name="dense_logits")(x)
# the softmax in single precision, so that it is numerically stable
outputs = layers.Activation("softmax", dtype="float32", name="predictions")(x)

model = keras.Model(inputs=inputs, outputs=outputs)
model.compile(
    loss="sparse_categorical_crossentropy",
    optimizer=keras.optimizers.RMSprop(learning_rate=3e-3),
    metrics=["accuracy"],
)
history = model.fit(
    x_train,
    y_train,
    batch_size=32,
    epochs=4,
    validation_split=0.2,
    verbose=0,
)
print("losses:", history.history["loss"])

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
probabilities = model.predict(x_test[:4], verbose=0)
print(f"test: {loss:.3f}, {accuracy:.3f}", probabilities.sum(axis=1))
