"""Classes of the script that extend each other: the one above stays what the other extends."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np

x = np.zeros((64, 8), "float32")

"""
MODEL = """\

model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3{regularizer})])
model.compile("sgd", loss="mse")
model.fit({data})
"""
BATCHES = """\
class Batches(keras.utils.PyDataset):
    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def __len__(self):
        return len(x) // self.size

    def __getitem__(self, i):
        part = x[i * self.size : (i + 1) * self.size]
        return part, part[:, :3]


class Large(Batches):
    def __init__(self, **kwargs):
        super().__init__(32, **kwargs)
"""
PENALTY = """\
class Above(keras.regularizers.Regularizer):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def __call__(self, x):
        return self.rate * keras.ops.sum(x**2)


class Below(Above):
    def __init__(self):
        super().__init__(0.3)
"""


def migrated(classes: str, regularizer: str = "", data: str = "x, x[:, :3]") -> str:
    script = HEAD + classes + MODEL.format(regularizer=regularizer, data=data)
    done = migrate(script.encode(), "train.py")
    assert not done.findings
    return done.text or ""


def test_a_sequence_extends_another() -> None:
    text = migrated(BATCHES, data="Large()")
    assert "class Batches(Dataset):\n    def __init__(self, size):\n        self.size" in text
    assert BATCHES[BATCHES.index("class Large") :] in text


def test_a_regularizer_extends_another() -> None:
    text = migrated(PENALTY, regularizer=", kernel_regularizer=Below()")
    assert "class Above:\n    def __init__(self, rate):\n        self.rate" in text
    assert PENALTY[PENALTY.index("class Below") :] in text
