"""The next frame of films in which a square moves, by an LSTM of convolutions."""

import numpy as np
from keras.layers import BatchNormalization, Conv3D, ConvLSTM2D
from keras.models import Sequential

FRAMES = 5
SIZE = 10
FILTERS = 6
BATCH_SIZE = 16
EPOCHS = 3


def make_films(n, seed):
    """Films of a square of 3 x 3 that moves one step a frame, and the frames that follow."""
    rng = np.random.default_rng(seed)
    films = np.zeros((n, FRAMES + 1, SIZE, SIZE, 1), dtype="float32")
    for film in films:
        place, step = rng.integers(0, SIZE, 2), rng.integers(-1, 2, 2)
        for t, frame in enumerate(film):
            rows, columns = ((place + t * step)[:, None] + np.arange(3)) % SIZE
            frame[np.ix_(rows, columns)] = 1.0
    return films[:, :-1], films[:, 1:]


x_train, y_train = make_films(128, seed=0)
x_test, y_test = make_films(32, seed=1)

model = Sequential()
# the films may be of any length
model.add(
    ConvLSTM2D(
        FILTERS,
        kernel_size=(3, 3),
        input_shape=(None, SIZE, SIZE, 1),
        padding="same",
        return_sequences=True,
    )
)
model.add(BatchNormalization())
model.add(
    ConvLSTM2D(
        FILTERS,
        kernel_size=(3, 3),
        padding="same",
        recurrent_activation="hard_sigmoid",
        return_sequences=True,
    )
)
model.add(Conv3D(1, kernel_size=(3, 3, 3), activation="sigmoid", padding="same"))
model.compile(optimizer="sgd", loss="binary_crossentropy")
model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(x_test, y_test),
    verbose=0,
)

# a film that goes on by itself
film = x_test[:1]
for _ in range(3):
    following = model.predict(film, verbose=0)[:, -1:]
    film = np.concatenate([film, following], axis=1)
print("brightness of the frames:", film.mean(axis=(0, 2, 3, 4)).round(3))
