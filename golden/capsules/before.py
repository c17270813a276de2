"""Three drawings told apart by capsules that agree with each other by routing."""
import keras
import numpy as np
from keras import layers, ops

CLASSES = 3


def squash(vectors, axis=-1):
    """Short vectors to almost nothing, long ones to a length just below one."""
    squares = ops.sum(ops.square(vectors), axis=axis, keepdims=True)
    scale = squares / (1 + squares) / ops.sqrt(squares + keras.config.epsilon())
    return scale * vectors


def margin_loss(y_true, y_pred):
    """The capsule of the class should be long, the others short."""
    present = y_true * ops.square(ops.maximum(0.0, 0.9 - y_pred))
    absent = 0.5 * (1 - y_true) * ops.square(ops.maximum(0.0, y_pred - 0.1))
    return ops.mean(ops.sum(present + absent, axis=1))


class Capsules(layers.Layer):
    """Capsules that take votes of those below, by dynamic routing."""

    def __init__(self, count, size, routings=3, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.size = size
        self.routings = routings

    def build(self, input_shape):
        self.votes = self.add_weight(
            name="votes", shape=(self.count, input_shape[1], self.size, input_shape[2])
        )

    def call(self, inputs):
        votes = ops.einsum("cidk,bik->bcid", self.votes, inputs)
        agreement = ops.zeros_like(votes[..., 0])
        for step in range(self.routings):
            weights = ops.softmax(agreement, axis=1)
            outputs = squash(ops.einsum("bci,bcid->bcd", weights, votes))
            if step < self.routings - 1:
                agreement += ops.einsum("bcd,bcid->bci", outputs, votes)
        return outputs


class Length(layers.Layer):
    """How long each capsule is: how sure it is."""

    def call(self, inputs):
        return ops.sqrt(ops.sum(ops.square(inputs), axis=-1) + 1e-9)


# crosses, squares and bars somewhere in an image
rng = np.random.RandomState(12)
shapes = np.zeros((CLASSES, 5, 5), "float32")
shapes[0, 2], shapes[0, :, 2] = 1, 1
shapes[1, [0, -1]], shapes[1, :, [0, -1]] = 1, 1
shapes[2, ::2] = 1
kinds = rng.randint(0, CLASSES, size=360)
images = rng.uniform(0, 0.3, size=(360, 12, 12, 1)).astype("float32")
for image, kind in zip(images, kinds):
    row, column = rng.randint(0, 8, 2)
    image[row : row + 5, column : column + 5, 0] += shapes[kind]
targets = np.eye(CLASSES, dtype="float32")[kinds]

inputs = keras.Input((12, 12, 1))
x = layers.Conv2D(16, 5, activation="relu")(inputs)
x = layers.Conv2D(16, 3, strides=2, activation="relu")(x)
x = layers.Reshape((-1, 8))(x)
x = Capsules(CLASSES, 6)(x)
model = keras.Model(inputs, Length()(x))
model.compile(optimizer="adam", loss=margin_loss, metrics=["accuracy"])
model.fit(images[:300], targets[:300], batch_size=30, epochs=4)
print("lengths:", model.predict(images[300:303], verbose=0).shape)
