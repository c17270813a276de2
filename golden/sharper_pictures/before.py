"""Small pictures made twice as large, by what their neighbours say of them."""
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers


def psnr(y_true, y_pred):
    return tf.image.psnr(y_true, y_pred, max_val=1.0)


def ssim_loss(y_true, y_pred):
    return 1 - tf.reduce_mean(tf.image.ssim(y_true, y_pred, 1.0)) + 1e-4 * tf.reduce_mean(tf.image.total_variation(y_pred))


inputs = keras.Input((8, 8, 3))
x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
x = layers.Conv2D(12, 3, padding="same")(x)
x = layers.Lambda(lambda t: tf.nn.depth_to_space(t, 2))(x)
up = layers.Lambda(lambda t: tf.image.resize(t, (16, 16), method="bilinear"))(inputs)
outputs = layers.Add()([x, up])
model = keras.Model(inputs, outputs)
model.compile("adam", ssim_loss, metrics=[psnr])
rng = np.random.default_rng(0)
x_train = rng.uniform(size=(64, 8, 8, 3)).astype("float32")
y_train = x_train.repeat(2, axis=1).repeat(2, axis=2)
model.fit(x_train, y_train, batch_size=8, epochs=3, verbose=0)
