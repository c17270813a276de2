"""An Embedding that starts from an array; a ``raise`` that ends the script, or does not."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

EMBEDDING = """\
import keras
import numpy as np
from keras import layers

x = np.random.randint(0, 50, (64, 5))
y = np.random.rand(64, 1)
{setup}
model = keras.Sequential(
    [layers.Embedding(50, 8, {start}), layers.GlobalAveragePooling1D(), layers.Dense(1)]
)
model.compile("sgd", "mse")
model.fit(x, y)
"""
TRAIN = """\
x = np.random.rand(64, 8)
y = np.random.rand(64, 1)
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y)
"""
MATRIX = "matrix = np.random.rand(50, 8)"
LOADED = "from elsewhere import load\n\nmatrix = load()"
CONSTANT = "embeddings_initializer=keras.initializers.Constant(matrix)"


def text_line(text: str, start: int) -> int:
    return text.count("\n", 0, start) + 1


def migrated(text: str) -> tuple[str, list[tuple[str, int]]]:
    done = migrate(text.encode(), "train.py", dialect="keras3")
    return done.text or "", [(f.code, text_line(text, f.span.start)) for f in done.findings]


@pytest.mark.parametrize("start", ["weights=[matrix]", CONSTANT])
def test_the_array_is_copied(start):
    """Training must not change the script's own array: the next model starts from it."""
    text, _ = migrated(EMBEDDING.format(setup=MATRIX, start=start))
    assert "torch.tensor(matrix, dtype=torch.float32)" in text


@pytest.mark.parametrize(
    ("setup", "start"),
    [
        (LOADED, "weights=[matrix]"),
        (LOADED, CONSTANT),
        (f"{MATRIX}\nkept = [matrix]", "weights=kept"),
        (MATRIX, "weights=(matrix,)"),
        ("matrix = np.load('m.npy')", "weights=[matrix]"),
    ],
)
def test_an_array_that_is_not_known_is_refused(setup, start):
    text, findings = migrated(EMBEDDING.format(setup=setup, start=start))
    assert "K2T100" in [code for code, _ in findings]
    assert "nn.Embedding(" not in text


@pytest.mark.parametrize("start", ["weights=None", "embeddings_initializer='uniform'"])
def test_no_array(start):
    text, _ = migrated(EMBEDDING.format(setup="", start=start))
    assert "nn.Embedding(50, 8)" in text


ENDING = "import keras\nimport numpy as np\nfrom keras import backend as K\n\n"


@pytest.mark.parametrize(
    "condition", ["K.backend() == 'tensorflow'", "K.backend() != 'theano'", "True"]
)
def test_a_script_that_raises_has_one_finding(condition):
    _, findings = migrated(f"{ENDING}if {condition}:\n    raise RuntimeError('no')\n{TRAIN}")
    assert findings == [("K2T904", 6)]


@pytest.mark.parametrize(
    "code",
    [
        "def fail(why):\n    raise ValueError(why)",
        "class Source:\n    def rows(self):\n        raise NotImplementedError",
        "if K.backend() == 'theano':\n    raise RuntimeError('no')",
        "if len(x_files) > 3:\n    raise RuntimeError('no')",
    ],
)
def test_a_raise_that_the_script_does_not_come_to(code):
    _, findings = migrated(f"{ENDING}x_files = open('list').read()\n{code}\n{TRAIN}")
    assert "K2T904" not in [found for found, _ in findings]
