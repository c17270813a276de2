"""A convolutional denoising autoencoder of small images, put together from its two halves."""

import keras
import numpy as np
from keras import layers

SIZE = 12
LATENT_DIM = 6
BATCH_SIZE = 32
EPOCHS = 4


def make_images(n, seed):
    """Bars at random places, clean and with noise."""
    rng = np.random.default_rng(seed)
    clean = np.zeros((n, SIZE, SIZE, 1), dtype="float32")
    for image, row, column in zip(clean, rng.integers(0, SIZE, n), rng.integers(0, SIZE, n)):
        image[row] = 1.0
        image[:, column] = 1.0
    noise = rng.normal(scale=0.3, size=clean.shape).astype("float32")
    return clean, np.clip(clean + noise, 0, 1)


clean_train, noisy_train = make_images(320, seed=0)
clean_test, noisy_test = make_images(64, seed=1)

# the encoder: an image becomes a few numbers
images = keras.Input(shape=(SIZE, SIZE, 1), name="images")
x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(images)
x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
x = layers.Flatten()(x)
code = layers.Dense(LATENT_DIM, name="code")(x)
encoder = keras.Model(images, code, name="encoder")

# the decoder: and back
decoder = keras.Sequential(
    [
        keras.Input(shape=(LATENT_DIM,)),
        layers.Dense(SIZE // 4 * SIZE // 4 * 16, activation="relu"),
        layers.Reshape((SIZE // 4, SIZE // 4, 16)),
        layers.UpSampling2D(2),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.UpSampling2D(2),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ],
    name="decoder",
)

autoencoder = keras.Model(images, decoder(encoder(images)), name="autoencoder")
autoencoder.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")

before = np.square(autoencoder.predict(noisy_test, verbose=0) - clean_test).mean()
history = autoencoder.fit(
    noisy_train,
    clean_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_data=(noisy_test, clean_test),
    verbose=0,
)
print("error before:", before, "after:", history.history["val_loss"][-1])

# each half is of use alone
codes = encoder.predict(noisy_test, verbose=0)
print("spread of the codes:", codes.std(axis=0).round(2))
between = (codes[:1] + codes[1:2]) / 2
print("half way between two images:", decoder.predict(between, verbose=0).mean())
