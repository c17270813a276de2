"""Are two sensor traces of the same machine? Distances learnt with a contrastive loss."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense, Input, Lambda
from tensorflow.keras.models import Model

N_MACHINES = 6
LENGTH = 20
MARGIN = 1.0


def euclidean_distance(vectors):
    a, b = vectors
    sum_square = K.sum(K.square(a - b), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def contrastive_loss(y_true, y_pred):
    """Hadsell et al. 2006: equal pairs are pulled together, others pushed apart."""
    square_pred = K.square(y_pred)
    # only pairs nearer than the margin are pushed
    margin_square = K.square(K.maximum(MARGIN - y_pred, 0))
    return K.mean(y_true * square_pred + (1 - y_true) * margin_square)


def pair_accuracy(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


def compute_accuracy(y_true, distances):
    """The same by hand, for arrays."""
    return np.mean((distances.ravel() < 0.5) == y_true)


def make_pairs(n, seed):
    rng = np.random.default_rng(seed)
    traces = np.random.default_rng(7).normal(size=(N_MACHINES, LENGTH))
    first = rng.integers(N_MACHINES, size=n)
    second = np.where(rng.random(n) < 0.5, first, rng.integers(N_MACHINES, size=n))
    pairs = traces[np.stack([first, second], axis=1)] + rng.normal(scale=0.4, size=(n, 2, LENGTH))
    return pairs.astype("float32"), (first == second).astype("float32")


pairs_train, same_train = make_pairs(320, seed=0)
pairs_test, same_test = make_pairs(80, seed=1)

inputs = Input(shape=(LENGTH,))
x = Dense(16, activation="relu")(inputs)
base_network = Model(inputs, Dense(8)(x))

input_a = Input(shape=(LENGTH,))
input_b = Input(shape=(LENGTH,))
distance = Lambda(euclidean_distance)([base_network(input_a), base_network(input_b)])
model = Model([input_a, input_b], distance)

model.compile(
    loss=contrastive_loss,
    optimizer=keras.optimizers.SGD(learning_rate=0.05),
    metrics=[pair_accuracy],
)
model.fit(
    [pairs_train[:, 0], pairs_train[:, 1]],
    same_train,
    batch_size=48,
    epochs=4,
    validation_data=([pairs_test[:, 0], pairs_test[:, 1]], same_test),
)

distances = model.predict([pairs_test[:, 0], pairs_test[:, 1]])
print("accuracy on the test pairs: %.3f" % compute_accuracy(same_test, distances))
