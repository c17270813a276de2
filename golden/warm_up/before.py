"""The rate of "Attention is all you need": up in a line, then down with the root of the step."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

D_MODEL = 32
BATCH_SIZE = 16

rng = np.random.default_rng(0)
x = rng.normal(size=(320, 12)).astype("float32")
y = (x[:, :4].sum(axis=1) > x[:, 4]).astype("float32")


class CustomSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, d_model, warmup_steps=4000):
        super().__init__()

        self.d_model = d_model
        self.d_model = tf.cast(self.d_model, tf.float32)

        self.warmup_steps = warmup_steps

    def __call__(self, step):
        step = tf.cast(step, dtype=tf.float32)
        arg1 = tf.math.rsqrt(step)
        arg2 = step * (self.warmup_steps**-1.5)

        return tf.math.rsqrt(self.d_model) * tf.math.minimum(arg1, arg2)


model = tf.keras.Sequential(
    [
        tf.keras.Input((12,)),
        layers.Dense(D_MODEL, activation="relu"),
        layers.Dense(1),
    ]
)

learning_rate = CustomSchedule(D_MODEL, warmup_steps=40)
optimizer = tf.keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.98, epsilon=1e-9)

model.compile(
    optimizer=optimizer,
    loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[tf.keras.metrics.BinaryAccuracy(threshold=0.0), tf.keras.metrics.AUC(from_logits=True)],
)
model.fit(x, y, batch_size=BATCH_SIZE, epochs=3, validation_split=0.2, verbose=0)
score = model.evaluate(x, y, verbose=0)
print(score)
