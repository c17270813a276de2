"""Are two halves of a signal from the same machine?"""
import numpy as np
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense, Dropout, Input, Lambda
from tensorflow.keras.models import Model

MARGIN = 1.0


def euclidean_distance(vectors):
    x, y = vectors
    # the distance of the two embeddings, and never exactly 0
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def distance_shape(shapes):
    shape1, shape2 = shapes
    return (shape1[0], 1)


rng = np.random.default_rng(7)
signals = rng.normal(size=(600, 40)).astype("float32")
labels = rng.integers(0, 2, 600).astype("float32")
signals[labels == 1, 20:] = signals[labels == 1, :20] + 0.1 * signals[labels == 1, 20:]

signal = Input(shape=(40,))
hidden = Dense(32, activation="relu", name="hidden")
embedding = Dense(8, name="embedding")
first = embedding(hidden(signal[:, :20]))
second = embedding(hidden(signal[:, 20:]))
distance = Lambda(euclidean_distance, output_shape=distance_shape)([first, second])
similarity = Lambda(lambda d: K.exp(-d / MARGIN))(distance)
outputs = Dense(1, activation="sigmoid")(similarity)

model = Model(signal, outputs)
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(signals, labels, batch_size=32, epochs=4, validation_split=0.2)
