"""Arguments that both sides of a test are called with."""

import numpy as np

CATEGORICAL = [
    ([0, 2, 1], None),
    ([[0], [2], [1]], 5),
    ([[[0], [2]], [[1], [1]]], 3),
    ([[0, 1], [2, 0]], None),
]
SEQUENCES = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9, 10]]
PADDING = [
    {"maxlen": 4},
    {"maxlen": 9},
    {},
    {"maxlen": 4, "padding": "post"},
    {"maxlen": 4, "truncating": "post"},
    {"maxlen": 5, "padding": "post", "truncating": "post", "value": -1.0, "dtype": "float32"},
]
TOKENS = [[1, 2, 2, 5], [7, 8, 9, 2], [], [0, 1, 1, 1]]
TEXTS = [
    "The cat sat on the mat. The cat!",
    "A dog -- the Dog, the\tDOG; barks\nat the cat",
    "",
    "it's one-two one_two [a] b c",
]
TOKENIZERS = [
    {},
    {"num_words": 4},
    {"num_words": 4, "oov_token": "<unk>"},
    {"oov_token": "<unk>"},
    {"lower": False, "filters": ".!"},
    {"split": "-", "filters": ""},
    {"char_level": True, "num_words": 9},
]
UNSEEN = "the bird, the cat and a dog"
ARRAYS = [
    ([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]], {}),
    ([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]], {"axis": 1, "order": 1}),
    ([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], {"axis": 1}),
]
LOADERS = [
    ("imdb", {}),
    ("imdb", {"num_words": 30}),
    ("imdb", {"num_words": 30, "skip_top": 5, "oov_char": None, "seed": 7}),
    ("imdb", {"maxlen": 12, "num_words": 40}),
    ("imdb", {"start_char": None, "index_from": 0}),
    ("imdb", {"start_char": None, "index_from": 2, "oov_char": 0}),
    ("reuters", {}),
    ("reuters", {"num_words": 30, "test_split": 0.35, "seed": 3}),
    ("reuters", {"maxlen": 12, "skip_top": 6, "oov_char": None}),
    ("boston_housing", {}),
    ("boston_housing", {"test_split": 0.0, "seed": 4}),
    ("california_housing", {}),
    ("california_housing", {"version": "small", "test_split": 0.3}),
    ("fashion_mnist", {}),
    ("cifar10", {}),
    ("cifar100", {}),
    ("cifar100", {"label_mode": "coarse"}),
]

# test_helper_initializers: kernels as Keras shapes them
SHAPES = [(400, 600), (3, 3, 32, 64)]
INITIALIZERS = [
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeUniform", {}),
    ("HeNormal", {}),
    ("LecunUniform", {}),
    ("LecunNormal", {}),
    ("TruncatedNormal", {}),
    ("RandomNormal", {}),
    ("RandomUniform", {}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_out"}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_avg", "distribution": "uniform"}),
    ("VarianceScaling", {"distribution": "untruncated_normal"}),
]

# test_helper_callbacks: Keras's class, its arguments, and what is emitted for it (class, arguments)
PATIENT = {"monitor": "val_loss", "mode": "min"}
CALLBACKS = [
    ("EarlyStopping", {**PATIENT, "patience": 0}, "EarlyStopping"),
    ("EarlyStopping", {**PATIENT, "patience": 1, "min_delta": 0.05}, "EarlyStopping"),
    ("EarlyStopping", {**PATIENT, "patience": 3, "mode": "max"}, "EarlyStopping"),
    ("EarlyStopping", {**PATIENT, "patience": 2, "restore_best_weights": True}, "Restoring"),
    ("EarlyStopping", {**PATIENT, "patience": 1, "baseline": 0.45}, "Keras"),
    ("EarlyStopping", {**PATIENT, "patience": 1, "start_from_epoch": 3}, "Keras"),
    (
        "EarlyStopping",
        {**PATIENT, "patience": 2, "restore_best_weights": True, "start_from_epoch": 2},
        "Keras",
    ),
    ("ReduceLROnPlateau", {**PATIENT, "patience": 0, "factor": 0.5}, ""),
    ("ReduceLROnPlateau", {**PATIENT, "patience": 2, "factor": 0.1, "min_lr": 0.005}, ""),
    ("ReduceLROnPlateau", {**PATIENT, "patience": 1, "cooldown": 2, "mode": "max"}, ""),
    ("ReduceLROnPlateau", {**PATIENT, "patience": 2, "cooldown": 1, "min_delta": 0.06}, ""),
    ("ModelCheckpoint", {"filepath": "w{epoch:02d}-{val_loss:.2f}.weights.h5", **PATIENT}, ""),
    ("ModelCheckpoint", {"filepath": "w{epoch:02d}.weights.h5", "save_best_only": True}, ""),
    (
        "ModelCheckpoint",
        {"filepath": "w{epoch}.weights.h5", **PATIENT, "save_best_only": True, "mode": "max"},
        "",
    ),
    (
        "ModelCheckpoint",
        {"filepath": "w{epoch}.weights.h5", "save_best_only": True, "initial_value_threshold": 0.4},
        "",
    ),
]
BATCHES = [
    {"filepath": "w{epoch}.weights.h5", "save_freq": 3},
    {"filepath": "w{epoch}-{batch}.weights.h5", "save_freq": 3},
    {"filepath": "w{epoch}-{batch}.weights.h5", "save_freq": 9},
    {"filepath": "w{epoch}.weights.h5", "period": 2},
    {"filepath": "w{epoch:02d}.weights.h5", "period": 3},
]
"""Of ModelCheckpoint: what it saves in two fits, of five epochs and of three with four batches."""
SERIES = 36
HUNDRED = 108
"""How many sequences there are for callbacks without arguments that matter."""


def table_of_rates(number):
    """A rate for each of eight epochs, or a factor."""
    return np.random.default_rng(number).uniform(0.01, 1.0, 8).astype("float32").tolist()


def batch_losses(number):
    """Losses of three epochs of four batches; most have one that is no number."""
    rng = np.random.default_rng(number)
    losses = rng.uniform(0.1, 1.0, 12)
    if number % 5:
        losses[rng.integers(12)] = rng.choice([np.nan, np.inf, -np.inf])
    return losses.astype("float32")


def sequences(number):
    """Sequences of a metric for the callback of that number, a sixth of them with a NaN."""
    rng = np.random.default_rng(number)
    made = []
    for i in range(SERIES):
        falling = 0.5 - 0.02 * np.arange(14)
        values = {
            0: rng.random(14),
            1: falling + rng.normal(scale=0.1, size=14),
            2: np.cumsum(rng.normal(size=14)) / 4,
            3: rng.integers(0, 5, size=14) / 4,
        }[i % 4].astype("float32")
        if i % 12 > 9:
            values[rng.integers(4, 10)] = np.nan  # of a first one see rules/dialects.toml
        made.append(values)
    return made


# test_helper_images: arguments of ImageDataGenerator
FILL_MODES = ("nearest", "constant", "reflect", "wrap")
MOVED = [
    {"width_shift_range": 0.1, "height_shift_range": 0.3, "horizontal_flip": True},
    {"width_shift_range": 3, "height_shift_range": [1, 2]},
    {"width_shift_range": 2.0, "vertical_flip": True},
    {"rotation_range": 40},
    {"shear_range": 30, "width_shift_range": 0.1},
    {"zoom_range": 0.4},
    {"zoom_range": (0.5, 0.8), "rescale": 1 / 3},
    {
        "rotation_range": 30, "width_shift_range": 0.2, "height_shift_range": 0.2,
        "shear_range": 15, "zoom_range": 0.3, "horizontal_flip": True, "vertical_flip": True,
    },
]  # fmt: skip


def reversed_twice(image):
    return 2 * image[..., ::-1]


NORMALIZED = [
    {"featurewise_center": True},
    {"featurewise_std_normalization": True, "rescale": 0.5},
    {"samplewise_center": True},
    {"samplewise_std_normalization": True},
    {"zca_whitening": True},
    {"zca_whitening": True, "featurewise_std_normalization": True, "zca_epsilon": 0.1},
    {"preprocessing_function": reversed_twice, "rescale": 0.1},
]


def pictures(width):
    return np.random.default_rng(width).random((12, 9, width, 3)).astype("float32")


HISTORY = """
import keras
import numpy as np
from keras import layers

x = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
y = (x[:, :1] > 0).astype("float32")
model = keras.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(4,))])
model.compile("sgd", "{loss}", metrics={metrics})
h = model.fit(x, y, epochs={epochs}, batch_size=16, verbose=0{rest})
print(h.history["loss"])
"""


def histories():
    """Scripts with metrics, validations and callbacks by chance."""
    rng = np.random.default_rng(7)
    names = ["accuracy", "mae", "mse", "AUC", "binary_accuracy", "Precision"]
    made = []
    for number in range(16):
        chosen = [str(name) for name in rng.permutation(names)[: rng.integers(0, 4)]]
        rest = ""
        if number % 4:
            rest += f", validation_split=0.25, validation_freq={rng.integers(1, 4)}"
        watched = "val_loss" if number % 4 else "loss"
        if number % 3:
            stop = f"monitor='{watched}', patience=1, mode='max', restore_best_weights=True"
            rest += f", callbacks=[keras.callbacks.EarlyStopping({stop})]"
        script = HISTORY.format(
            loss=rng.choice(["mse", "binary_crossentropy"]), metrics=chosen,
            epochs=rng.integers(2, 7), rest=rest,
        )  # fmt: skip
        made.append(script)
    return made
