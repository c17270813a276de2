"""A variational autoencoder of gestures: 2-D tracks of sixteen points, three kinds of them."""
import numpy as np
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense, Input, Lambda
from tensorflow.keras.losses import mse
from tensorflow.keras.models import Model
from tensorflow.keras.optimizers import Adam

POINTS = 16
LATENT = 3
WIDTHS = [48, 24]
BETA = 0.5


def sample_z(args):
    """The reparameterization trick: gradients pass through the mean and the variance."""
    mean, log_var = args
    batch = K.shape(mean)[0]
    noise = K.random_normal(shape=(batch, LATENT))
    return mean + K.exp(log_var / 2) * noise


# circles, lines and eights, at a size and place of their own
rng = np.random.RandomState(5)
t = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
shapes = np.stack([
    np.stack([np.cos(t), np.sin(t)], axis=-1),
    np.stack([np.cos(t), 0.2 * np.cos(t)], axis=-1),
    np.stack([np.sin(t), np.sin(2 * t)], axis=-1),
])
kinds = rng.randint(0, 3, size=480)
size = rng.uniform(0.4, 1.2, size=(480, 1, 1))
place = rng.uniform(-0.5, 0.5, size=(480, 1, 2))
tracks = size * shapes[kinds] + place + 0.03 * rng.randn(480, POINTS, 2)
tracks = tracks.reshape(-1, POINTS * 2).astype("float32")
train, test = tracks[:400], tracks[400:]

# encoder
inputs = Input(shape=(POINTS * 2,), name="track")
x = inputs
for width in WIDTHS:
    x = Dense(width, activation="relu")(x)
z_mean = Dense(LATENT, name="z_mean")(x)
z_log_var = Dense(LATENT, name="z_log_var")(x)
z = Lambda(sample_z, output_shape=(LATENT,), name="z")([z_mean, z_log_var])
encoder = Model(inputs, [z_mean, z_log_var, z], name="encoder")

# decoder
latent = Input(shape=(LATENT,), name="latent")
x = latent
for width in reversed(WIDTHS):
    x = Dense(width, activation="relu")(x)
decoder = Model(latent, Dense(POINTS * 2)(x), name="decoder")

outputs = decoder(encoder(inputs)[2])
vae = Model(inputs, outputs, name="vae")

reconstruction = POINTS * 2 * mse(K.flatten(inputs), K.flatten(outputs))
kl = 1 + z_log_var - K.square(z_mean) - K.exp(z_log_var)
kl = -0.5 * K.sum(kl, axis=-1)
vae.add_loss(K.mean(reconstruction + BETA * kl))
vae.compile(optimizer=Adam(learning_rate=0.002))
vae.fit(train, epochs=4, batch_size=32, validation_data=(test, None), verbose=2)

means, _, _ = encoder.predict(test)
print("means of the latent variables:", means.mean(axis=0))
drawn = decoder.predict(rng.randn(4, LATENT).astype("float32"))
print("drawn tracks:", drawn.reshape(4, POINTS, 2).shape)
