"""Child process: the weights after each step of Keras's optimizers on the gradients given to it.

Usage: python keras_optimizers.py OUT.npz GRADIENTS.npy. Gradients are (steps, n); every case starts
from zero weights. Keys are NAME:SCALE (gradients times SCALE) and NAME:SCALE:drop (rate divided by
ten from step 30 on). tf_keras's legacy classes are
those of tf.keras up to TensorFlow 2.10.
"""

import sys

import keras
import numpy as np
import tensorflow as tf
import tf_keras

gradients = np.load(sys.argv[2])
legacy = tf_keras.optimizers.legacy
CASES = {
    "SGD": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "SGD nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda: keras.optimizers.RMSprop(),
    "RMSprop momentum": lambda: keras.optimizers.RMSprop(momentum=0.9),
    "RMSprop centered": lambda: keras.optimizers.RMSprop(momentum=0.9, centered=True),
    "Adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "Adagrad zero": lambda: keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.0),
    "Adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "Adamax": lambda: keras.optimizers.Adamax(),
    "Adamax epsilon": lambda: keras.optimizers.Adamax(0.01, epsilon=1e-3),
    "Ftrl": lambda: keras.optimizers.Ftrl(0.1),
    "Ftrl all": lambda: keras.optimizers.Ftrl(
        0.1,
        learning_rate_power=-0.7,
        initial_accumulator_value=0.2,
        l1_regularization_strength=1e-3,
        l2_regularization_strength=0.2,
        l2_shrinkage_regularization_strength=0.05,
        beta=0.3,
    ),
    "Lamb": lambda: keras.optimizers.Lamb(0.01),
    "Adafactor": lambda: keras.optimizers.Adafactor(0.01),
    "ScheduleFreeAdamW": lambda: keras.optimizers.ScheduleFreeAdamW(),
    "ScheduleFreeAdamW warm": lambda: keras.optimizers.ScheduleFreeAdamW(0.01, warmup_steps=20),
    "Nadam": lambda: keras.optimizers.Nadam(),
    "Adam": lambda: keras.optimizers.Adam(),
    "AdamW": lambda: keras.optimizers.AdamW(),
    "SGD decay": lambda: legacy.SGD(0.05, momentum=0.9, decay=1e-2),
    "SGD decay nesterov": lambda: legacy.SGD(0.05, momentum=0.9, decay=1e-2, nesterov=True),
    "Adam decay": lambda: legacy.Adam(decay=1e-2),
    "RMSprop legacy": lambda: legacy.RMSprop(),
    "RMSprop legacy momentum": lambda: legacy.RMSprop(momentum=0.9),
    "RMSprop legacy centered": lambda: legacy.RMSprop(centered=True),
    "Adagrad legacy": lambda: legacy.Adagrad(0.1),
    "Nadam legacy": lambda: legacy.Nadam(),
    "Lion tf_keras": lambda: tf_keras.optimizers.Lion(),
}

saved = {}
for name, make in CASES.items():
    for scale in (1.0, 1e-3):
        for drop in (False, True):
            optimizer = make()
            w = tf.Variable(tf.zeros(gradients.shape[1]))
            path = []
            for i, g in enumerate(gradients):
                if drop and i == 30:
                    rate = optimizer.learning_rate
                    rate.assign(rate / 10)
                optimizer.apply_gradients([(tf.constant(g * np.float32(scale)), w)])
                path.append(w.numpy())
            saved[f"{name}:{scale:g}{':drop' if drop else ''}"] = np.array(path)
np.savez(sys.argv[1], **saved)
