"""A generator of points on a parabola, and a discriminator that learns to tell them from real ones."""

import numpy as np
from tensorflow.keras.layers import BatchNormalization, Dense, Dropout, LeakyReLU
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import Adam

LATENT = 6
BATCH = 64
STEPS = 40

rng = np.random.default_rng(0)


# tells real points from generated ones
def build_discriminator(width=32):
    model = Sequential()
    model.add(Dense(width, input_dim=2))
    model.add(LeakyReLU(0.2))
    model.add(Dropout(0.3))
    model.add(Dense(width))
    model.add(BatchNormalization(momentum=0.8))
    model.add(LeakyReLU(0.2))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(
        loss="binary_crossentropy", optimizer=Adam(0.002, beta_1=0.5), metrics=["accuracy"]
    )
    return model


# makes points of noise
def build_generator(width=32):
    model = Sequential()
    model.add(Dense(width, input_dim=LATENT))
    model.add(LeakyReLU(0.2))
    model.add(BatchNormalization(momentum=0.8))
    model.add(Dense(2))
    return model


# trains the generator by what the discriminator says
def build_gan(generator, discriminator):
    # the discriminator's weights stay as they are here
    discriminator.trainable = False
    model = Sequential()
    model.add(generator)
    model.add(discriminator)
    model.compile(loss="binary_crossentropy", optimizer=Adam(0.002, beta_1=0.5))
    return model


def real_points(count):
    x = rng.random(count) - 0.5
    return np.stack([x, x * x], axis=1), np.ones((count, 1))


def fake_points(generator, count):
    noise = rng.normal(size=(count, LATENT))
    return generator.predict(noise, verbose=0), np.zeros((count, 1))


def report(step, generator, discriminator):
    points, labels = real_points(100)
    _, real = discriminator.evaluate(points, labels, verbose=0)
    points, labels = fake_points(generator, 100)
    _, fake = discriminator.evaluate(points, labels, verbose=0)
    print(f"step {step}: {real:.0%} of the real points found, {fake:.0%} of the others")


def train(generator, discriminator, gan):
    for step in range(STEPS):
        # the discriminator, on half a batch of each kind
        points, labels = real_points(BATCH // 2)
        real_loss, real_accuracy = discriminator.train_on_batch(points, labels)
        points, labels = fake_points(generator, BATCH // 2)
        fake_loss, fake_accuracy = discriminator.train_on_batch(points, labels)

        # the generator, which wants its points to be taken for real
        noise = rng.normal(size=(BATCH, LATENT))
        gan_loss = gan.train_on_batch(noise, np.ones((BATCH, 1)))

        loss = (real_loss + fake_loss) / 2
        if step % 20 == 19:
            print(f"discriminator {loss:.4f}, generator {gan_loss:.4f}")
            report(step, generator, discriminator)


discriminator = build_discriminator()
generator = build_generator()
gan = build_gan(generator, discriminator)
train(generator, discriminator, gan)
