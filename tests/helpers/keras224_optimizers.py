"""Child process: the same as keras_optimizers.py for Keras 2.2.4, with its default arguments.

Usage: python keras224_optimizers.py OUT.npz GRADIENTS.npy
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import keras224

keras = keras224.load()
K, optimizers = keras.backend, keras.optimizers
CASES = {
    "SGD": lambda: optimizers.SGD(0.05, momentum=0.9),
    "RMSprop": optimizers.RMSprop,
    "Adagrad": optimizers.Adagrad,
    "Adadelta": optimizers.Adadelta,
    "Adam": optimizers.Adam,
    "Adamax": optimizers.Adamax,
    "Nadam": optimizers.Nadam,
}
gradients = np.load(sys.argv[2])
saved = {}
for name, make in CASES.items():
    for scale in (1.0, 1e-3):
        for drop in (False, True):
            w, g = K.variable(np.zeros(gradients.shape[1])), K.placeholder(gradients.shape[1:])
            optimizer = make()
            step = K.function([g], [], updates=optimizer.get_updates(K.sum(w * g), [w]))
            path = []
            for i, gradient in enumerate(gradients):
                if drop and i == 30:
                    K.set_value(optimizer.lr, K.get_value(optimizer.lr) / 10)
                step([gradient * np.float32(scale)])
                path.append(K.get_value(w))
            saved[f"{name}:{scale:g}{':drop' if drop else ''}"] = np.array(path)
np.savez(sys.argv[1], **saved)
