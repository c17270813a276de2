"""Child process: what Keras layers compute, and their weights. Usage: keras_weights.py OUT.npz"""

import sys

import keras
import numpy as np

keras.utils.set_random_seed(0)
LAYERS = {
    "dense": (keras.layers.Dense(3, bias_initializer="uniform"), (5,)),
    "bare": (keras.layers.Dense(3, use_bias=False), (5,)),
    "conv1d": (keras.layers.Conv1D(3, 2, bias_initializer="uniform"), (6, 5)),
    "conv2d": (keras.layers.Conv2D(3, (2, 3), bias_initializer="uniform"), (6, 7, 5)),
    "conv3d": (keras.layers.Conv3D(3, (2, 3, 1)), (4, 5, 4, 2)),
    "transposed": (keras.layers.Conv2DTranspose(3, (2, 3), bias_initializer="uniform"), (4, 5, 2)),
}
rng = np.random.default_rng(0)
saved = {}
for name, (layer, shape) in LAYERS.items():
    x = rng.random((2, *shape)).astype("float32")
    saved[f"{name} x"] = x
    saved[f"{name} y"] = np.asarray(layer(x))
    saved |= {f"{name} {i}": array for i, array in enumerate(layer.get_weights())}
np.savez(sys.argv[1], **saved)
