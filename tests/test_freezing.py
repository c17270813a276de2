"""``trainable``: which modules of the port are frozen, and where that is refused."""

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
base = keras.Sequential(
    [
        keras.Input((8,)),
        layers.Dense(8, activation="relu", name="one"),
        layers.Dense(8, activation="relu", name="two"),
        layers.Dense(4, name="three"),
    ]
)
inputs = keras.Input((8,))
model = keras.Model(inputs, layers.Dense(1, name="top")(base(inputs)))
"""
TRAIN = '\nmodel.compile("sgd", "mse")\nmodel.fit(x, y)\n'


def migrated(body: str, dialect: str = "keras3") -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py", dialect=dialect)
    return done.text or "", [f.code for f in done.findings]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("base.trainable = False", "base.requires_grad_(False)"),
        ("model.get_layer('top').trainable = False", "model.top.requires_grad_(False)"),
        ("base.get_layer('two').trainable = False", "base.layers[2].requires_grad_(False)"),
        ("for l in base.layers[:-1]:\n    l.trainable = False", "base.layers[:3]."),
        ("for l in base.layers[1:]:\n    l.trainable = False", "base.layers[2:]."),
        ("for l in base.layers:\n    l.trainable = False", "base.layers.requires_grad_(False)"),
        (
            "for l in base.layers:\n    l.trainable = l.name != 'two'",
            "base.layers[0].requires_grad_(True)\nbase.layers[2].requires_grad_(False)\n"
            "base.layers[4].requires_grad_(True)",
        ),
        (
            "for l in base.layers:\n    if l.name == 'two':\n        l.trainable = False",
            "base.layers[2].requires_grad_(False)",
        ),
        (
            "for l in base.layers:\n    if not isinstance(l, layers.Dense):\n"
            "        l.trainable = False",
            "pass",
        ),
        (
            "for l in base.layers:\n    if l.name == 'four':\n        l.trainable = False",
            "model = Model(base)\npass\n",
        ),
        (
            "FREEZE = False\nif FREEZE:\n    for l in base.layers:\n        l.trainable = False",
            "if FREEZE:\n    base.layers.requires_grad_(False)",
        ),
        (
            "FREEZE = False\nif FREEZE:\n    for l in base.layers:\n        if l.name == 'two':\n"
            "            l.trainable = False",
            "K2T721",
        ),
        ("base.trainable = np.random.rand() > 0.5", "K2T721"),
    ],
)
def test_what_is_frozen(body: str, wanted: str) -> None:
    text, codes = migrated(body + TRAIN)
    assert wanted in text
    assert "trainable" not in text.replace("raise NotImplementedError", "#") or "K2T721" in codes


def test_after_compile_it_is_refused() -> None:
    _, codes = migrated('model.compile("sgd", "mse")\nbase.trainable = False\nmodel.fit(x, y)\n')
    assert codes == ["K2T721"]


def test_compiled_again_it_is_followed() -> None:
    body = 'def train():\n    model.compile("sgd", "mse")\n    model.fit(x, y)\n\n\n'
    text, codes = migrated(body + "train()\nbase.trainable = False\ntrain()\n")
    assert codes == []
    assert "base.requires_grad_(False)\ntrain()" in text


def test_a_frozen_norm_is_not_the_same_in_keras_2() -> None:
    body = (
        "net = keras.Sequential([layers.Dense(4, input_shape=(8,)), layers.BatchNormalization()])\n"
    )
    body += 'net.layers[1].trainable = False\nnet.compile("sgd", "mse")\nnet.fit(x, x[:, :4])\n'
    assert "K2T721" in migrated(body, "keras2")[1]
    text, codes = migrated(body)
    assert "K2T721" not in codes
    assert "set_trainable(net.layers[1], False)" in text


@pytest.mark.parametrize("dialect", ["keras2", "tf_keras", "keras3"])
def test_a_layer_of_a_frozen_model_does_not_train(dialect: str) -> None:
    body = "base.trainable = False\nbase.layers[0].trainable = True" + TRAIN
    assert "K2T721" in migrated(body, dialect)[1]


def test_a_model_that_trains_again_has_all_its_layers_but_in_keras_2() -> None:
    body = "base.layers[0].trainable = False\nbase.trainable = True" + TRAIN
    assert migrated(body)[1] == []
    assert "K2T721" in migrated(body, "keras2")[1]


def test_one_optimizer_for_two_sets_of_weights_is_refused() -> None:
    body = 'sgd = keras.optimizers.SGD(0.1)\ndef train():\n    model.compile(sgd, "mse")\n'
    _, codes = migrated(body + "    model.fit(x, y)\n\ntrain()\nbase.trainable = False\ntrain()\n")
    assert "K2T721" in codes


MADE = """\
net = keras.Sequential([layers.Dense(4, input_shape=(8,), trainable=False), layers.Dense(1)])
{}net.compile("sgd", "mse")
net.fit(x, y)
"""


@pytest.mark.parametrize("dialect", ["keras2", "tf_keras", "keras3"])
def test_a_layer_is_made_frozen(dialect: str) -> None:
    text, codes = migrated(MADE.format(""), dialect)
    assert codes == []
    assert "self.layers[0].requires_grad_(False)" in text
    again = "net.trainable = True\n"
    assert ("K2T721" in migrated(MADE.format(again), dialect)[1]) == (dialect == "keras2")
    text, codes = migrated(MADE.format("net.layers[0].trainable = True\n"), dialect)
    assert codes == []


def test_made_frozen_in_a_loop_is_refused() -> None:
    body = "net = keras.Sequential()\nfor i in range(3):\n"
    body += "    net.add(layers.Dense(8, trainable=False))\n"
    body += 'net.add(layers.Dense(1))\nnet.compile("sgd", "mse")\nnet.fit(x, y)\n'
    assert "K2T111" in migrated(body)[1]


@pytest.mark.parametrize(
    "read", ["model.trainable", "len(model.trainable_weights)", "base.layers[0].trainable"]
)
def test_what_is_read_of_it_is_an_error(read: str) -> None:
    text, codes = migrated(f"print({read})" + TRAIN)
    assert set(codes) == {"K2T900"}
    assert "raise NotImplementedError" in text


LOOP = """\
import keras
import numpy as np
from keras import layers

x, y = np.zeros((10, 12), "float32"), np.zeros((10, 3), "float32")


def build(units, depth):
    inputs = keras.Input((12,))
    h = inputs
    for _ in range(depth):
        h = layers.Dense(units)(h)
    return keras.Model(inputs, layers.Dense(3, name="head")(h))


"""


@pytest.mark.parametrize(
    ("freeze", "wanted"),
    [
        ("for layer in model.layers[:-1]:\n    layer.trainable = False", "model.dense_layers."),
        ("model.get_layer('head').trainable = False", "model.head."),
        ("for layer in model.layers:\n    layer.trainable = False", "model."),
        ("model.layers[1].trainable = False", None),
    ],
)
@pytest.mark.parametrize("first", ["", "build(4, 1)\n"])
def test_layers_that_a_loop_makes(freeze: str, wanted: str | None, first: str) -> None:
    """Frozen as its last but one, the whole model was once."""
    script = f"{LOOP}{first}model = build(4, 2)\n{freeze}\n{TRAIN.replace('mse', 'mae')}"
    done = migrate(script.encode(), "train.py")
    codes = [f.code for f in done.findings]
    if wanted is None:
        assert "K2T721" in codes
    else:
        assert codes == []
        assert f"\n{wanted}requires_grad_(False)\n" in (done.text or "")


def test_layers_of_a_list_that_are_written_one_by_one() -> None:
    body = (
        "inputs = keras.Input((12,))\nh = inputs\nhidden = [layers.Dense(8) for _ in range(3)]\n"
        "for i, layer in enumerate(hidden):\n    h = layer(h)\n"
        "model = keras.Model(inputs, layers.Dense(3)(h))\nhidden[1].trainable = False\n"
    )
    head = LOOP.partition("def build")[0]
    done = migrate(f"{head}{body}{TRAIN}".encode(), "train.py")
    assert {f.code for f in done.findings} == {"K2T133"}
    assert "model.dense2.requires_grad_(False)" in (done.text or "")
