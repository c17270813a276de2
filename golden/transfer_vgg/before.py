"""Classifies photographs with a small head on the convolutions of VGG16."""

import numpy as np
from tensorflow.keras import layers, models, optimizers
from tensorflow.keras.applications import VGG16
from tensorflow.keras.applications.vgg16 import preprocess_input

IMAGE_SIZE = 48
NUM_CLASSES = 4

rng = np.random.default_rng(0)
labels = rng.integers(0, NUM_CLASSES, 96)
images = rng.uniform(0, 255, (96, IMAGE_SIZE, IMAGE_SIZE, 3))
images[np.arange(96), 8 * labels] = 255  # a bright row for each class
train_images, test_images = preprocess_input(images[:80]), preprocess_input(images[80:])

# only the head and the last block are trained
conv_base = VGG16(weights=None, include_top=False, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
for layer in conv_base.layers[:-4]:
    layer.trainable = False

model = models.Sequential()
model.add(conv_base)
model.add(layers.Flatten())
model.add(layers.Dense(32, activation="relu"))
model.add(layers.Dense(NUM_CLASSES, activation="softmax"))
model.compile(
    loss="sparse_categorical_crossentropy",
    optimizer=optimizers.SGD(learning_rate=1e-4, momentum=0.9),
    metrics=["accuracy"],
)
history = model.fit(train_images, labels[:80], epochs=4, batch_size=16)
print(history.history["loss"])
print(model.evaluate(test_images, labels[80:]))
