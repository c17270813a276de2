"""Child process: one draw of each Keras initializer for a Dense and a convolution kernel.

Usage: python keras_initializers.py OUT.npz [2.2.4]. Keys are `NAME OPTIONS SHAPE`.
"""

import sys
from pathlib import Path

import numpy as np
from helper_cases import INITIALIZERS, SHAPES

if sys.argv[2:] == ["2.2.4"]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
    import keras224

    keras = keras224.load()
    np.random.seed(0)  # which the seeds of its operations are drawn from
    numbers = keras.backend.eval
else:
    import keras

    keras.utils.set_random_seed(0)
    numbers = np.asarray


def initializer(name, options):
    """Keras 2.2.4 has functions for some, by the names that Keras 3 only knows as strings."""
    found = getattr(keras.initializers, name, None)
    return found(**options) if found else keras.initializers.get(OLD_NAMES[name])


OLD_NAMES = {
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
}
saved = {}
for name, options in INITIALIZERS:
    if len(sys.argv) == 2 or "untruncated_normal" not in options.values():
        for shape in SHAPES:
            saved[f"{name} {options} {shape}"] = numbers(initializer(name, options)(shape))
np.savez(sys.argv[1], **saved)
