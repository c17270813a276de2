"""A small ResNet v1 on synthetic textures."""

import keras
import numpy as np
from keras import layers, regularizers

NUM_CLASSES = 3
INPUT_SHAPE = (16, 16, 3)
N = 1  # residual blocks per stage: depth = 6 * N + 2
FILTERS = 8
WEIGHT_DECAY = 1e-4

BATCH_SIZE = 32
EPOCHS = 3
LEARNING_RATE = 0.001

keras.utils.set_random_seed(1)


def make_textures(n, seed):
    """Stripes whose direction is the class, under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, NUM_CLASSES, size=n)
    rows, cols = np.mgrid[: INPUT_SHAPE[0], : INPUT_SHAPE[1]]
    waves = np.stack([rows, cols, rows + cols])[labels] + rng.integers(0, 8, size=(n, 1, 1))
    images = np.sin(waves)[..., None] + rng.normal(scale=1.5, size=(n, *INPUT_SHAPE))
    return images.astype("float32"), labels


def conv_bn(x, filters, kernel_size=3, strides=1, activation=True):
    """Convolution, batch normalisation and, unless told otherwise, ReLU."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=regularizers.l2(WEIGHT_DECAY),
    )(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    if activation:
        x = layers.ReLU()(x)
    return x


def residual_block(x, filters, strides=1):
    y = conv_bn(x, filters, strides=strides)
    y = conv_bn(y, filters, activation=False)
    if strides > 1:
        # 1x1 projection, so that the shapes match
        x = conv_bn(x, filters, kernel_size=1, strides=strides, activation=False)
    x = layers.add([x, y])
    return layers.ReLU()(x)


def build_resnet(input_shape, n, num_classes):
    inputs = keras.Input(shape=input_shape)
    filters = FILTERS
    x = conv_bn(inputs, filters)
    for stage in range(3):
        for block in range(n):
            # every stage but the first starts by halving the image
            strides = 2 if stage > 0 and block == 0 else 1
            x = residual_block(x, filters, strides)
        filters *= 2
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="resnet")


x_train, y_train = make_textures(400, seed=0)
x_test, y_test = make_textures(100, seed=1)

# one-hot labels
y_train = keras.utils.to_categorical(y_train, NUM_CLASSES)
y_test = keras.utils.to_categorical(y_test, NUM_CLASSES)

model = build_resnet(INPUT_SHAPE, N, NUM_CLASSES)
model.compile(
    loss="categorical_crossentropy",
    optimizer=keras.optimizers.SGD(learning_rate=LEARNING_RATE, momentum=0.9, nesterov=True),
    metrics=["accuracy"],
)

model.fit(
    x_train,
    y_train,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_split=0.2,
    verbose=0,
)

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", loss)
print("Test accuracy:", accuracy)
