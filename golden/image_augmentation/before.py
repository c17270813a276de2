"""Which way do the stripes run? Images that are turned, moved and normalized as they are drawn."""

import numpy as np
from tensorflow.keras import layers, models
from tensorflow.keras.preprocessing.image import ImageDataGenerator

SIZE = 12
BATCH = 24
EPOCHS = 4


def stripes(n, seed):
    """Bright and dark stripes, upright or lying, somewhere between 0 and 255."""
    rng = np.random.default_rng(seed)
    lying = rng.integers(0, 2, n)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    waves = np.where(lying[:, None, None], rows, columns) + rng.integers(0, 6, (n, 1, 1))
    images = 128 + 80 * np.sin(1.2 * waves) + rng.normal(scale=25, size=(n, SIZE, SIZE))
    return images[..., None].clip(0, 255).astype("uint8"), lying.astype("float32")


x_train, y_train = stripes(240, seed=1)
x_test, y_test = stripes(96, seed=2)

train_gen = ImageDataGenerator(
    rescale=1.0 / 255,
    featurewise_center=True,
    featurewise_std_normalization=True,
    rotation_range=15,  # degrees
    width_shift_range=0.1,
    height_shift_range=0.2,
    shear_range=5.0,
    zoom_range=[0.9, 1.2],
    horizontal_flip=True,
    fill_mode="constant",
    cval=128.0,
)
test_gen = ImageDataGenerator(
    rescale=1.0 / 255,
    featurewise_center=True,
    featurewise_std_normalization=True,
)
train_gen.fit(x_train)
test_gen.fit(x_train)
test_flow = test_gen.flow(x_test, y_test, batch_size=BATCH, shuffle=False)

model = models.Sequential(
    [
        layers.Conv2D(8, 3, activation="relu", input_shape=(SIZE, SIZE, 1)),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="sgd", loss="binary_crossentropy", metrics=["accuracy"])

history = model.fit(
    train_gen.flow(x_train, y_train, batch_size=BATCH),
    epochs=EPOCHS,
    validation_data=test_flow,
)
print(history.history["val_loss"])

loss, accuracy = model.evaluate(test_flow)
print(f"{accuracy:.0%} of the test images are told apart")
