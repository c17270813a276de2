"""``get_weights`` and ``set_weights``: which module, and what is refused."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")
model = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(8, activation="relu", name="one"),
        layers.Dense(8, use_bias=False, name="two"),
        layers.BatchNormalization(name="norm"),
        layers.Dense(1),
    ]
)
model.compile("sgd", "mse")
model.fit(x, y)
"""


def migrated(body: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py")
    errors = [f.code for f in done.findings if f.severity.value == "error"]
    return done.text or "", errors


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("w, b = model.get_layer('one').get_weights()", "w, b = get_weights(model.layers[0])"),
        ("(w,) = model.layers[1].get_weights()", "(w,) = get_weights(model.layers[2])"),
        (
            "def scaled(net, factor):\n    w, b = net.layers[0].get_weights()\n"
            "    net.layers[0].set_weights([factor * w, b])\n\n\nscaled(model, 2)",
            "    set_weights(net.layers[0], [factor * w, b])",
        ),
    ],
)
def test_the_module_is_named(body: str, wanted: str) -> None:
    text, errors = migrated(body + "\n")
    assert errors == []
    assert wanted in text


@pytest.mark.parametrize(
    "body",
    [
        "model.get_layer('norm').get_weights()",
        "for name in ['one', 'two']:\n    print(model.get_layer(name).get_weights()[0].mean())",
        "spare = layers.Dense(3)\nspare.get_weights()",
    ],
)
def test_what_is_refused(body: str) -> None:
    text, errors = migrated(body + "\n")
    assert "K2T803" in errors
    assert "raise NotImplementedError" in text


WHOLE = """\
import keras
import numpy as np

x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")


def build(units=4):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


model = build()
model.fit(x, y)
{}
print(model.evaluate(x, y))
"""


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            "kept = model.get_weights()\nmodel.fit(x, y)\nmodel.set_weights(kept)",
            "kept = {name: value.clone() for name, value in model.state_dict().items()}",
        ),
        (
            "other = build()\nother.set_weights(model.get_weights())\nother.fit(x, y)",
            "other.load_state_dict(model.state_dict())",
        ),
    ],
)
def test_whole_models_hand_over_their_state(body: str, wanted: str) -> None:
    done = migrate(WHOLE.format(body).encode(), "train.py")
    assert [f.code for f in done.findings if f.severity.value == "error"] == []
    assert wanted in (done.text or "")


@pytest.mark.parametrize(
    "body",
    [
        "kept = model.get_weights()\nprint(len(kept))\nmodel.set_weights(kept)",
        "kept = model.get_weights()\nkept[0] = kept[0] * 2\nmodel.set_weights(kept)",
        "kept = [w * 2 for w in model.get_weights()]\nmodel.set_weights(kept)",
        "kept = np.load('w.npy', allow_pickle=True)\nmodel.set_weights(kept)",
        "other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])\n"
        "other.compile('sgd', 'mse')\nother.set_weights(model.get_weights())\nother.fit(x, y)",
    ],
)
def test_weights_that_are_looked_into_are_refused(body: str) -> None:
    done = migrate(WHOLE.format(body).encode(), "train.py")
    assert "K2T803" in [f.code for f in done.findings]
    assert "raise NotImplementedError" in (done.text or "")
