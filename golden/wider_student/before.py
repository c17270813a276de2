"""A wider student starts from what its teacher learned: it computes the same, and trains on."""

import keras
import numpy as np
from keras import layers

CLASSES = 4
WIDTH = 8
WIDER = 12

rng = np.random.default_rng(0)
images = rng.random((320, 12, 12, 1)).astype("float32")
labels = (images[:, :6].mean(axis=(1, 2, 3)) > 0.5) * 2 + (images.mean(axis=(1, 2, 3)) > 0.5)
x_train, x_test = images[:256], images[256:]
y_train, y_test = labels[:256], labels[256:]


def wider(kernel, bias, following, width):
    """Some outputs are doubled; what follows shares their weights among the copies."""
    chosen = rng.integers(0, kernel.shape[-1], size=width - kernel.shape[-1])
    factors = np.bincount(chosen, minlength=kernel.shape[-1])[chosen] + 1.0
    kernel = np.concatenate([kernel, kernel[..., chosen]], axis=-1)
    bias = np.concatenate([bias, bias[chosen]])
    extra = following[..., chosen, :] / factors[:, np.newaxis]
    following = np.concatenate([following, extra], axis=-2)
    following[..., chosen, :] = extra
    return kernel, bias, following


def train(model, rate):
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=0.9),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, batch_size=32, epochs=2, verbose=0)
    return model.evaluate(x_test, y_test, verbose=0)


teacher = keras.Sequential(
    [
        keras.Input((12, 12, 1)),
        layers.Conv2D(WIDTH, 3, strides=2, activation="relu", name="first"),
        layers.Conv2D(WIDTH, 3, activation="relu", name="second"),
        layers.Flatten(),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(CLASSES, activation="softmax", name="classes"),
    ],
    name="teacher",
)
print("teacher", train(teacher, 0.05))

student = keras.Sequential(
    [
        keras.Input((12, 12, 1)),
        layers.Conv2D(WIDER, 3, strides=2, activation="relu", name="first"),
        layers.Conv2D(WIDTH, 3, activation="relu", name="second"),
        layers.Flatten(),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(CLASSES, activation="softmax", name="classes"),
    ],
    name="student",
)

kernel, bias = teacher.get_layer("first").get_weights()
following, following_bias = teacher.get_layer("second").get_weights()
kernel, bias, following = wider(kernel, bias, following, WIDER)
student.get_layer("first").set_weights([kernel, bias])
student.get_layer("second").set_weights([following, following_bias])
student.get_layer("hidden").set_weights(teacher.get_layer("hidden").get_weights())
student.get_layer("classes").set_weights(teacher.get_layer("classes").get_weights())

print("student", train(student, 0.01))
