"""Feature extraction, then fine-tuning, on DenseNet121."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

IMAGE_SHAPE = (40, 40, 3)

rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 64).astype("float32")
images = rng.uniform(0, 255, (64, *IMAGE_SHAPE)).astype("float32")
images[:, :8] += 60 * labels[:, None, None, None]

base_model = keras.applications.DenseNet121(
    input_shape=IMAGE_SHAPE, include_top=False, weights=None
)
base_model.trainable = False

inputs = keras.Input(shape=IMAGE_SHAPE)
x = keras.applications.densenet.preprocess_input(inputs)
x = base_model(x, training=False)  # its BatchNormalization stays in inference mode
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.2)(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, outputs)

model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-3),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
model.fit(images, labels, epochs=5, batch_size=16)

# all of it, slowly
base_model.trainable = True
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-5),
    loss="binary_crossentropy",
    metrics=["accuracy"],
)
model.fit(images, labels, epochs=1, batch_size=16)
