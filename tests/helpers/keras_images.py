"""Child process: batches of tf-keras's ImageDataGenerator. Usage: python keras_images.py OUT.npz"""

import sys

import numpy as np
from helper_cases import FILL_MODES, MOVED, NORMALIZED, pictures
from tf_keras.preprocessing.image import ImageDataGenerator


def batch(x, **options):
    made = ImageDataGenerator(**options)
    made.fit(x)
    np.random.seed(3)
    return made.flow(x, np.arange(len(x)), batch_size=len(x), shuffle=False)[0][0]


saved = {}
for i, options in enumerate(MOVED):
    for mode in FILL_MODES:
        for width in (8, 13):
            x = pictures(width)
            saved[f"moved {i} {mode} {width}"] = batch(x, fill_mode=mode, cval=0.5, **options)
for i, options in enumerate(NORMALIZED):
    saved[f"normalized {i}"] = batch(pictures(8), width_shift_range=0.1, **options)
np.savez(sys.argv[1], **saved)
