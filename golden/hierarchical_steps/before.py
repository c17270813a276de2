"""Short films classified: every frame by a convolutional net, the frames by an LSTM."""

import keras
import numpy as np
from keras import layers

FRAMES, SIZE, CLASSES = 6, 12, 4
BATCH_SIZE = 32
EPOCHS = 4


def make_films(n, seed):
    """A bar that moves up, down, left or right."""
    rng = np.random.default_rng(seed)
    films = rng.normal(scale=0.1, size=(n, FRAMES, SIZE, SIZE, 1)).astype("float32")
    labels = rng.integers(0, CLASSES, size=n)
    for film, label, start in zip(films, labels, rng.integers(0, SIZE, size=n)):
        for t, frame in enumerate(film):
            place = (start + (1 if label % 2 else -1) * t) % SIZE
            bar = frame[place] if label < 2 else frame[:, place]
            bar += 1.0
    return films, labels


x_train, y_train = make_films(256, seed=0)
x_test, y_test = make_films(64, seed=1)

# what is seen in one frame
frame = keras.Input(shape=(SIZE, SIZE, 1))
x = layers.Conv2D(8, 3, activation="relu")(frame)
x = layers.MaxPooling2D()(x)
x = layers.Flatten()(x)
x = layers.Dense(16, activation="relu")(x)
look = keras.Model(frame, x)

# what happens from frame to frame, and in each row of a frame
films = keras.Input(shape=(FRAMES, SIZE, SIZE, 1))
seen = layers.TimeDistributed(look)(films)
rows = layers.Reshape((FRAMES, SIZE, SIZE))(films)
rows = layers.TimeDistributed(layers.GRU(8))(rows)
x = layers.Concatenate()([seen, rows])
x = layers.LSTM(16)(x)
outputs = layers.Dense(CLASSES, activation="softmax")(x)
model = keras.Model(films, outputs)

model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(x_test, y_test),
    verbose=0,
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"accuracy: {accuracy:.3f}")
