"""Three classes of uneven size, weighted; the class is the last column of a table of numbers."""

import keras
import numpy as np
from keras import layers

CLASS_WEIGHT = {0: 0.5, 1: 1.0, 2: 4.0}

rng = np.random.default_rng(0)
numbers = rng.normal(size=(260, 6)).astype("float32")
classes = np.digitize(numbers[:, 0] + numbers[:, 1], [0.3, 1.6]).astype("float32")
table = np.column_stack([numbers, classes])
x, y = table[:, :6], table[:, 6:]

model = keras.Sequential([layers.Dense(16, activation="tanh"), layers.Dense(3)])
model.add(layers.Softmax())
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
model.fit(x, y, batch_size=32, epochs=2, class_weight=CLASS_WEIGHT, verbose=0)
