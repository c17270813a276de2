"""Ratings of films: an embedding for each user and each film, and a small network on both."""

import keras
import numpy as np
from keras import layers

N_USERS = 60
N_FILMS = 40
DIM = 8
BATCH_SIZE = 32
EPOCHS = 4

# synthetic tastes
rng = np.random.default_rng(0)
tastes = rng.normal(size=(N_USERS, 3))
genres = rng.normal(size=(N_FILMS, 3))
users = rng.integers(0, N_USERS, 500)
films = rng.integers(0, N_FILMS, 500)
year = rng.normal(size=(500, 1))
ratings = ((tastes[users] * genres[films]).sum(axis=1) > 0).astype("float32")

user = keras.Input(shape=(1,), name="user")
film = keras.Input(shape=(1,), name="film")
release = keras.Input(shape=(1,), name="release")

user_vector = layers.Flatten()(layers.Embedding(N_USERS, DIM, name="users")(user))
film_vector = layers.Flatten()(layers.Embedding(N_FILMS, DIM, name="films")(film))
# how well they go together, and what else is known
match = layers.Multiply()([user_vector, film_vector])
x = layers.Concatenate()([match, user_vector, film_vector, release])
x = layers.Dense(16, activation="relu")(x)
liked = layers.Dense(1, activation="sigmoid")(x)

model = keras.Model([user, film, release], liked, name="recommender")
model.compile(
    optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)

history = model.fit(
    [users, films, year],
    ratings,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_split=0.2,
    verbose=0,
)
print("last val_loss:", history.history["val_loss"][-1])

loss, accuracy = model.evaluate([users, films, year], ratings, verbose=0)
print(f"loss {loss:.4f}, accuracy {accuracy:.4f}")

# the best films for the first user
candidates = np.arange(N_FILMS)
scores = model.predict([np.zeros(N_FILMS), candidates, np.zeros((N_FILMS, 1))], verbose=0)
print("best:", scores[:, 0].argsort()[::-1][:5])
