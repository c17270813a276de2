"""Child process: what Keras's layers that learn from data give.

Usage: python keras_lookups.py OUT.npz.
"""

import sys

import keras
import numpy as np
from keras import layers
from lookup_cases import (
    BINNED,
    LOOKED_UP,
    MASKED,
    NORMALIZED,
    OTHERS,
    TEXTS,
    VECTORIZED,
    asked,
    learnt,
    numbers,
)

saved = {}
for i, kwargs in enumerate(VECTORIZED):
    layer = layers.TextVectorization(**kwargs)
    layer.adapt(TEXTS)
    saved[f"text{i}/vocabulary"] = np.array([str(word) for word in layer.get_vocabulary()])
    saved[f"text{i}/list"] = layer(OTHERS).numpy()
    saved[f"text{i}/column"] = layer(np.array(OTHERS)[:, None]).numpy()
    saved[f"text{i}/one"] = layer(OTHERS[0]).numpy()
for i, (cls, kwargs, shape) in enumerate(LOOKED_UP):
    layer = getattr(layers, cls)(**kwargs)
    layer.adapt(learnt(cls))
    saved[f"lookup{i}/vocabulary"] = np.array([str(word) for word in layer.get_vocabulary()])
    saved[f"lookup{i}"] = layer(asked(cls, kwargs, shape)).numpy()
for i, (cls, kwargs) in enumerate(MASKED):
    layer = getattr(layers, cls)(vocabulary=np.unique(learnt(cls)), **kwargs)
    saved[f"masked{i}"] = layer(asked(cls, kwargs, (9, 2))).numpy()
for i, (kwargs, shape) in enumerate(NORMALIZED):
    layer = layers.Normalization(**kwargs)
    layer.adapt(numbers(shape))
    saved[f"norm{i}"] = layer(numbers(shape, 1)).numpy()
for i, (kwargs, count) in enumerate(BINNED):
    layer = layers.Discretization(**kwargs)
    layer.adapt(numbers((count,)))
    saved[f"bins{i}"] = np.array(layer.bin_boundaries)
    saved[f"binned{i}"] = layer(numbers((9, 3), 1)).numpy()

np.savez(sys.argv[1], keras=keras.__version__, **saved)
