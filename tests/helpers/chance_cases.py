"""Layers that change images by chance: Keras's arguments, and the emitted module's."""

import numpy as np

CALLS, COPIES = 60, 40
"""Calls of a layer, and copies of the image in each: some layers draw once for a batch."""

# Keras's layer, the emitted module, whether few different images come out
CASES = [
    ("RandomGrayscale(0.3)", "RandomGrayscale(0.3)", True),
    ("RandomInvert(0.6)", "RandomInvert(0, 0.6)", True),
    ("RandomInvert((0.2, 0.4))", "RandomInvert(0.2, 0.4)", True),
    ("RandomPosterization((2, 5))", "RandomPosterization(2, 5)", True),
    ("RandomPosterization(4)", "RandomPosterization(1, 4)", True),
    ("RandomHue((0.3, 0.3))", "RandomHue(0.3, 0.3)", True),
    ("RandomShear((0.3, 0.3), (0.1, 0.1))", "RandomShear((0.3, 0.3), (0.1, 0.1))", True),
    (
        "RandomShear((0.2, 0.2), fill_mode='constant')",
        "RandomShear((0.2, 0.2), padding='zeros')",
        True,
    ),
    ("RandomCrop(5, 6)", "RandomCrop(5, 6)", True),
    ("RandomShear(0.4, 0.2)", "RandomShear((-0.4, 0.4), (-0.2, 0.2))", False),
    ("RandomHue(0.4)", "RandomHue(0, 0.4)", False),
    ("RandomSaturation((0.2, 0.9))", "RandomSaturation(0.2, 0.9)", False),
    ("RandomSaturation(0.7)", "RandomSaturation(-0.7, 0.7)", False),
    ("RandomSharpness(0.8)", "RandomSharpness(0, 0.8)", False),
    ("RandomColorDegeneration(0.6)", "RandomColorDegeneration(-0.6, 0.6)", False),
    ("Solarization(0.3, 0.8)", "Solarization((0, 0.3), (0, 0.8))", False),
    ("Solarization((0.1, 0.3), (0.4, 0.8))", "Solarization((0.1, 0.3), (0.4, 0.8))", False),
    ("RandomGaussianBlur()", "RandomGaussianBlur()", False),
    (
        "RandomGaussianBlur(0.5, 5, (0.3, 0.9))",
        "RandomGaussianBlur((0, 0.5), (0.3, 0.9), 5)",
        False,
    ),
    ("RandomErasing()", "RandomErasing()", False),
    ("RandomErasing(0.5, (0.1, 0.4), 9)", "RandomErasing((0, 0.5), (0.1, 0.4), 9)", False),
]


def image():
    """One image, channels last."""
    return np.random.default_rng(3).uniform(20, 230, (8, 9, 3)).astype("float32")


def summary(images, few):
    """Of images, channels last: the different ones and their shares; or two figures of each."""
    if not few:
        change = np.abs(images - image()).mean((1, 2, 3))
        return np.stack([images.mean((1, 2, 3)), change])
    flat = images.reshape(len(images), -1).round(2)
    different, counts = np.unique(flat, axis=0, return_counts=True)
    return np.concatenate([different, counts[:, None] / len(flat)], 1)
