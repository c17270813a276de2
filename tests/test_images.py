"""How the making of an image generator is written: without the arguments that say nothing."""

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """\
import numpy as np
from keras.layers import Dense, Flatten
from keras.models import Sequential
from keras.preprocessing.image import ImageDataGenerator

x = np.random.rand(32, 8, 8, 1).astype("float32")
y = np.random.rand(32, 1).astype("float32")
model = Sequential([Flatten(input_shape=(8, 8, 1)), Dense(1)])
model.compile("adam", "mse")
batches = ImageDataGenerator({written})
model.fit(batches.flow(x, y), epochs=1)
"""


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("", ""),
        ("zca_epsilon=1e-6", ""),
        ("featurewise_center=False", ""),
        ("rotation_range=3", "rotation_range=3"),
        ("zca_whitening=False, rotation_range=3, zca_epsilon=1e-6", "rotation_range=3"),
    ],
)
def test_arguments_that_say_nothing_go(written: str, left: str) -> None:
    found = migrate(SCRIPT.format(written=written).encode(), "script.py")
    assert found.text is not None
    assert f"batches = ImageDataGenerator({left})\n" in found.text
    assert {f.severity for f in found.findings} == {"info"}
