"""A Wasserstein critic whose weights are clipped, and the generator it judges, trained in turns."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import backend, layers
from tensorflow.keras.constraints import Constraint
from tensorflow.keras.optimizers import RMSprop

LATENT = 4
BATCH = 16
CRITIC_STEPS = 3

rng = np.random.default_rng(0)
real = (rng.normal(size=(256, 8)) @ rng.normal(size=(8, 8))).astype("float32")


class ClipConstraint(Constraint):
    """Weights are clipped to a box."""

    def __init__(self, clip_value):
        self.clip_value = clip_value

    def __call__(self, weights):
        return backend.clip(weights, -self.clip_value, self.clip_value)

    def get_config(self):
        return {"clip_value": self.clip_value}


def wasserstein_loss(y_true, y_pred):
    return backend.mean(y_true * y_pred)


def define_critic():
    clip = ClipConstraint(0.1)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, kernel_constraint=clip),
            layers.LeakyReLU(alpha=0.2),
            layers.Dense(1, kernel_constraint=clip),
        ],
        name="critic",
    )
    model.compile(loss=wasserstein_loss, optimizer=RMSprop(learning_rate=5e-4))
    return model


critic = define_critic()
generator = keras.Sequential(
    [keras.Input((LATENT,)), layers.Dense(16, activation="relu"), layers.Dense(8)],
    name="generator",
)

critic.trainable = False
gan = keras.Sequential([keras.Input((LATENT,)), generator, critic], name="gan")
gan.compile(loss=wasserstein_loss, optimizer=RMSprop(learning_rate=5e-4))

losses = []
for step in range(12):
    for _ in range(CRITIC_STEPS):
        rows = rng.integers(0, len(real), BATCH)
        true_loss = critic.train_on_batch(real[rows], -np.ones((BATCH, 1), "float32"))
        noise = rng.normal(size=(BATCH, LATENT)).astype("float32")
        fake = generator.predict(noise, verbose=0)
        fake_loss = critic.train_on_batch(fake, np.ones((BATCH, 1), "float32"))
    noise = rng.normal(size=(BATCH, LATENT)).astype("float32")
    losses.append(gan.train_on_batch(noise, -np.ones((BATCH, 1), "float32")))
    print(f"{step}: {true_loss:.4f} {fake_loss:.4f} {losses[-1]:.4f}")
