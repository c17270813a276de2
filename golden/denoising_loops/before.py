"""A denoising autoencoder: the decoder mirrors the encoder, both are loops over layer_filters."""

import numpy as np
from keras import backend as K
from keras.layers import Activation, Conv2D, Conv2DTranspose, Dense, Flatten, Input, Reshape
from keras.models import Model
from keras.optimizers import SGD

image_size = 12
batch_size = 32
epochs = 3
kernel_size = 3
latent_dim = 8
# filters of the encoder's layers; the decoder goes through them backwards
layer_filters = [6, 12]

rng = np.random.RandomState(1337)
x_train = np.zeros((256, image_size, image_size, 1), dtype="float32")
for image, row in zip(x_train, rng.randint(0, image_size, 256)):
    image[row] = 1.0
x_train_noisy = np.clip(x_train + rng.normal(0.3, 0.3, x_train.shape), 0.0, 1.0)
x_train_noisy = x_train_noisy.astype("float32")

inputs = Input(shape=(image_size, image_size, 1), name="encoder_input")
x = inputs
for filters in layer_filters:
    x = Conv2D(filters, kernel_size, strides=2, activation="relu", padding="same")(x)

# the decoder begins with the shape that the convolutions end in
shape = K.int_shape(x)

x = Flatten()(x)
latent = Dense(latent_dim, name="latent_vector")(x)
encoder = Model(inputs, latent, name="encoder")

latent_inputs = Input(shape=(latent_dim,), name="decoder_input")
x = Dense(shape[1] * shape[2] * shape[3])(latent_inputs)
x = Reshape((shape[1], shape[2], shape[3]))(x)
for filters in layer_filters[::-1]:
    x = Conv2DTranspose(filters, kernel_size, strides=2, activation="relu", padding="same")(x)
x = Conv2DTranspose(filters=1, kernel_size=kernel_size, padding="same")(x)
outputs = Activation("sigmoid", name="decoder_output")(x)
decoder = Model(latent_inputs, outputs, name="decoder")

autoencoder = Model(inputs, decoder(encoder(inputs)), name="autoencoder")
autoencoder.compile(loss="mse", optimizer=SGD(0.5, momentum=0.9))
autoencoder.fit(
    x_train_noisy,
    x_train,
    validation_data=(x_train_noisy[:64], x_train[:64]),
    epochs=epochs,
    batch_size=batch_size,
)

x_decoded = autoencoder.predict(x_train_noisy[:64])
print("error:", np.square(x_decoded - x_train[:64]).mean())
print("shape that the decoder begins with:", shape[1:])
