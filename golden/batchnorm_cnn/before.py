"""Small all-convolutional network with batch normalization on 16x16 textures."""
import keras
import numpy as np
from keras import layers
from keras.layers import Activation, BatchNormalization, Conv2D
from keras.optimizers import SGD

N_CLASSES = 4
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5


def make_textures(n, seed):
    """Stripes in four directions with a random phase; labels come as a column, as in CIFAR-10."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, size=(n, 1))
    rows, cols = np.mgrid[0:16, 0:16]
    waves = np.stack([rows, cols, rows + cols, rows - cols]) * 0.9
    phase = rng.uniform(0, 2 * np.pi, size=(n, 1, 1))
    images = np.sin(waves[labels[:, 0]] + phase) + rng.normal(scale=0.4, size=(n, 16, 16))
    return images[..., np.newaxis].astype("float32"), labels


x_train, y_train = make_textures(330, seed=0)
x_val, y_val = make_textures(100, seed=1)
print(x_train.shape, y_train.shape)

model = keras.Sequential([layers.InputLayer((16, 16, 1))])

# 16 x 16
model.add(Conv2D(8, (3, 3), padding="same", use_bias=False))
model.add(BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON))
model.add(Activation("relu"))

# 8 x 8: "same" with a stride pads one row at the bottom only
model.add(Conv2D(16, (3, 3), strides=(2, 2), padding="same", use_bias=False))
model.add(BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON))
model.add(Activation("relu"))

# 4 x 4
model.add(layers.AveragePooling2D(pool_size=(2, 2)))
model.add(Conv2D(16, (3, 3), padding="same", use_bias=False))
model.add(BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, scale=False))
model.add(Activation("relu"))

model.add(layers.GlobalAveragePooling2D())
model.add(layers.Dense(N_CLASSES, activation="softmax"))

opt = SGD(learning_rate=0.005, momentum=0.9, nesterov=True)
model.compile(opt, "sparse_categorical_crossentropy", metrics=["accuracy"])

hist = model.fit(x_train, y_train, 32, 4, validation_data=(x_val, y_val))

for epoch, (loss, val_loss) in enumerate(zip(hist.history["loss"], hist.history["val_loss"])):
    print("epoch {}: loss {:.4f} val_loss {:.4f}".format(epoch + 1, loss, val_loss))

classes = np.argmax(model.predict(x_val), axis=-1)
print("validation accuracy by hand:", np.mean(classes == y_val.ravel()))
