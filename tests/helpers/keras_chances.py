"""Child process: what Keras's layers make of copies of an image.

Usage: python keras_chances.py OUT.npz.
"""

import sys

import keras
import numpy as np
from chance_cases import CALLS, CASES, COPIES, image, summary
from keras import layers

saved = {}
for number, (text, _, few) in enumerate(CASES):
    keras.utils.set_random_seed(0)
    layer = eval(f"layers.{text}", {"layers": layers})
    copies = np.stack([image()] * COPIES)
    found = [layer(copies, training=True).numpy() for _ in range(CALLS)]
    saved[f"case{number}"] = summary(np.concatenate(found), few)

np.savez(sys.argv[1], keras=keras.__version__, **saved)
