"""What becomes of the names of tensor operations, and of what else of TensorFlow scripts use.

    python -m tests.names [FILE]     a line for each name, those first that nothing is said of

`names.tsv` has the names and in how many of 224 real scripts each was found (none: one that only
Keras 2.2.4 had). A name is

* a `row`: samples prove it, by this name (tests/test_rows.py),
* `refused`: a script that uses it is told so at its line, with a reason,
* `known`: it is carried over or dropped, which the script in KNOWN shows,
* `open`: none of these.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from k2t import table
from k2t.analyse.names import canonical
from k2t.ir.finding import Severity
from k2t.pipeline import migrate

LIST = Path(__file__).with_suffix(".tsv")
SHORT = {"tf": "tensorflow", "K": "keras.backend"}
SCRIPT = """import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from tensorflow.keras import backend as K


class Own(layers.Layer):
    def call(self, x):
        {inside}
        return x


inputs = keras.Input((6, 6, 3))
x = Own()(inputs)
{lines}
model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
model.compile("sgd", "mse")
model.fit(np.zeros((64, 6, 6, 3)), np.zeros((64, 1)))
"""
CAST = "x = x * tf.cast(tf.cast(x > 0, {}), tf.float32)"
GPUS = "gpus = tf.config.list_physical_devices('GPU')\n"
INITIAL = "x = layers.Dense(2, kernel_initializer={})(x)"
SCOPE = "strategy = tf.{}\nwith strategy.scope():\n    x = layers.Dense(2)(x)"
NOISE = """class Noise(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), seed=self.seeds)


x = Noise()(x)
"""
# name -> lines that use it; those that begin with "inside" stand in a layer of the script's own
KNOWN = {
    **{
        f"tf.{name}": CAST.format(f"tf.{name}")
        for name in (
            "float32", "float16", "int16", "int32", "int64", "uint8", "bool",
            "dtypes.float32", "dtypes.int64",
        )
    },
    "tf.newaxis": "x = x[:, tf.newaxis][:, 0]",
    "tf.shape": "inside x = tf.reshape(x, (tf.shape(x)[0], -1))",
    "K.shape": "inside x = K.reshape(x, (K.shape(x)[0], -1))",
    "keras.ops.shape": "inside x = ops.reshape(x, (ops.shape(x)[0], -1))",
    "K.int_shape": "inside x = K.reshape(x, (-1, K.int_shape(x)[1] * 18))",
    "tf.size": "inside x = x / tf.cast(tf.size(x), tf.float32)",
    "keras.ops.size": "inside x = x / tf.cast(ops.size(x), 'float32')",
    "keras.ops.ndim": "inside x = ops.sum(x, axis=ops.ndim(x) - 1)",
    "K.ndim": "inside x = K.sum(x, axis=K.ndim(x) - 1)",
    "K.image_data_format": "axis = -1 if K.image_data_format() == 'channels_last' else 1",
    "K.image_dim_ordering": "axis = -1 if K.image_dim_ordering() == 'tf' else 1",
    "K.set_image_data_format": "K.set_image_data_format('channels_last')",
    "K.set_image_dim_ordering": "K.set_image_dim_ordering('tf')",
    "K.set_floatx": "K.set_floatx('float32')",
    "K.floatx": "print(K.floatx())",
    "K.backend": "assert K.backend() == 'tensorflow'",
    "K.epsilon": "x = x / (1 + K.epsilon())",
    "K.clear_session": "K.clear_session()",
    "K.set_session": "K.set_session(tf.compat.v1.Session())",
    "K.name_scope": "with K.name_scope('head'):\n    x = x * 2",
    "tf.name_scope": "inside with tf.name_scope('head'): x = x * 2",
    "tf.init_scope": "inside with tf.init_scope(): x = x * 2",
    "tf.device": "with tf.device('/cpu:0'):\n    x = x * 2",
    "tf.function": "@tf.function\ndef twice(t):\n    return t * 2\nx = layers.Lambda(twice)(x)",
    "tf.random.set_seed": "tf.random.set_seed(1)",
    "tf.__version__": "print(tf.__version__)",
    "tf.version.VERSION": "print(tf.version.VERSION)",
    "tf.config.list_physical_devices": f"{GPUS}print(len(gpus))",
    "tf.config.list_logical_devices": "print(len(tf.config.list_logical_devices('GPU')))",
    "tf.config.experimental.set_memory_growth": f"{GPUS}for gpu in gpus:\n"
    "    tf.config.experimental.set_memory_growth(gpu, True)",
    "tf.compat.v1.ConfigProto": "tf.compat.v1.Session(config=tf.compat.v1.ConfigProto())",
    "tf.compat.v1.Session": "session = tf.compat.v1.Session()\nK.set_session(session)",
    "tf.compat.v1.config.list_logical_devices": "tf.compat.v1.config.list_logical_devices('GPU')",
    "tf.distribute.MirroredStrategy": SCOPE.format("distribute.MirroredStrategy()"),
    "tf.distribute.MultiWorkerMirroredStrategy": SCOPE.format(
        "distribute.MultiWorkerMirroredStrategy()"
    ),
    "tf.distribute.experimental.CentralStorageStrategy": SCOPE.format(
        "distribute.experimental.CentralStorageStrategy()"
    ),
    "tf.distribute.OneDeviceStrategy": SCOPE.format("distribute.OneDeviceStrategy('/cpu:0')"),
    "tf.compat.v1.distribute.MirroredStrategy": SCOPE.format(
        "compat.v1.distribute.MirroredStrategy()"
    ),
    "tf.distribute.get_strategy": SCOPE.format("distribute.get_strategy()"),
    "tf.image.ResizeMethod.NEAREST_NEIGHBOR": "x = tf.image.resize(x, (4, 4), "
    "method=tf.image.ResizeMethod.NEAREST_NEIGHBOR)",
    "tf.initializers.TruncatedNormal": INITIAL.format("tf.initializers.TruncatedNormal()"),
    "tf.initializers.zeros": INITIAL.format("tf.initializers.zeros"),
    "keras.random.SeedGenerator": NOISE,
    "tf.random_normal_initializer": INITIAL.format("tf.random_normal_initializer(0.0, 0.02)"),
}  # fmt: skip


# name -> a call of it, where one with the argument 3 is not enough
USED = {
    "tf.config.set_logical_device_configuration": "tf.config.set_logical_device_configuration("
    "tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()])",
}


@dataclass(frozen=True)
class Fate:
    """What becomes of a name; `about` is its row, the reason, or what shows that it is known."""

    name: str
    files: int
    kind: str
    about: str = ""


def listed(path: Path = LIST) -> list[tuple[str, int]]:
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    return [(name, int(files)) for name, files in (line.split("\t") for line in lines)]


def full(name: str) -> str:
    """The canonical name."""
    root, _, rest = name.partition(".")
    return canonical(f"{SHORT.get(root, root)}.{rest}")


def fate(name: str, files: int = 0) -> Fate:
    path = full(name)
    row = table.load().find(path)
    if name in KNOWN:
        return Fate(name, files, "known" if is_known(name) else "open", KNOWN[name])
    if row is not None:
        return Fate(name, files, "row", f"{row.section}/{row.name}")
    reason = table.load().reason(path)
    used = [USED[name]] if name in USED else [name, f"{name}(3)"]
    if reason is not None and all(is_told(name, text) for text in used):
        return Fate(name, files, "refused", reason)
    return Fate(name, files, "open")


def done(lines: str) -> tuple[list[str], str]:
    """The errors that a script with these lines gives, and what it becomes."""
    inside = lines.removeprefix("inside ") if lines.startswith("inside ") else "pass"
    script = SCRIPT.format(inside=inside, lines="" if inside != "pass" else lines)
    result = migrate(script.encode(), "names.py")
    errors = [f.message for f in result.findings if f.severity is Severity.ERROR]
    return errors, result.text or ""


def is_known(name: str) -> bool:
    """Whether its script is carried over whole, and nothing of Keras or TensorFlow stays."""
    assert name in KNOWN[name] or name.removeprefix("keras.") in KNOWN[name], name
    errors, text = done(KNOWN[name])
    return not errors and not any(word in text for word in ("tf.", "K.", "keras."))


def is_told(name: str, text: str) -> bool:
    """Whether a script that has it is refused at this name, with the reason."""
    errors, _ = done(f"used = {text}")
    return table.load().left(full(name)) in errors


def fates(names: Iterable[tuple[str, int]]) -> list[Fate]:
    return [fate(name, files) for name, files in names]


def main(arguments: Sequence[str]) -> None:
    found = fates(listed(Path(arguments[0])) if arguments else listed())
    for one in sorted(found, key=lambda f: f.kind != "open"):
        print(
            f"{one.kind}\t{one.name}\t{one.files}\t{one.about.splitlines()[0] if one.about else ''}"
        )
    print(dict(Counter(f.kind for f in found)))


if __name__ == "__main__":
    main(sys.argv[1:])
