"""Models that objects of the script build and hold, and functions that build them in part."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8).astype("float32")
y = x[:, :1]
"""


def migrated(body: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py")
    return done.text or "", [f.code for f in done.findings]


def in_class(units: str, before: str = "", loop: str = "for _ in range(2):") -> str:
    return f"""
class Net:
    def __init__(self, depth=2):
        self.width = 16
        self.depth = depth
        self.model = self.build(depth)

    def units(self):
        return self.width

    def build(self, depth):
        {before}
        model = keras.Sequential()
        model.add(keras.Input((8,)))
        {loop}
            model.add(layers.Dense({units}, activation="relu"))
        model.add(layers.Dense(1))
        model.compile("sgd", "mse")
        return model


net = Net()
net.model.fit(x, y)
"""


@pytest.mark.parametrize(
    ("units", "before", "wanted"),
    [
        ("self.width", "", ("def __init__(self, width)", "Model(self.width)")),
        ("self.width // 2", "", ("nn.Linear(in_features, width // 2)", "Model(self.width)")),
        ("self.width", "self.width = 16", ("nn.Linear(in_features, width)", "Model(self.width)")),
        # set twice, read by a method, or another thing of that name: the number as it is
        (
            "self.width",
            "self.width = 12; self.width = 16",
            ("nn.Linear(in_features, 16)", "Model()"),
        ),
        ("self.units()", "", ("nn.Linear(in_features, 16)", "Model()")),
        (
            "self.width + depth",
            "width = 3",
            ("width + depth", "def __init__(self, depth, width)", "Model(depth, self.width)"),
        ),
    ],
)
def test_attributes_of_the_object_become_parameters(units, before, wanted):
    text, codes = migrated(in_class(units, before))
    assert codes == []
    assert all(part in text for part in wanted), text


def test_a_loop_over_a_parameter_keeps_it():
    text, codes = migrated(in_class("4", loop="for _ in range(depth):"))
    assert codes == []
    assert "for _ in range(depth):" in text
    assert "model = Model(depth)" in text


def test_a_loop_over_an_attribute_is_written_out():
    text, codes = migrated(in_class("4", loop="for _ in range(self.depth):"))
    assert codes == ["K2T133"]
    assert "for _" not in text
    assert text.count("nn.Linear(") == 3


def test_a_function_hands_over_what_its_loop_reads():
    text, _ = migrated(
        "\ndef run(depth):\n"
        "    model = keras.Sequential()\n"
        "    model.add(keras.Input((8,)))\n"
        "    for _ in range(depth):\n"
        "        model.add(layers.Dense(8))\n"
        '    model.compile("sgd", "mse")\n'
        "    model.fit(x, y.repeat(8, 1))\n\n\nrun(2)\n"
    )
    assert "def __init__(self, depth):" in text
    assert "Model(depth)" in text


def test_one_round_carries_the_width_as_many_do():
    text, _ = migrated(
        "\nHIDDEN = (16, 4)\n"
        "model = keras.Sequential()\n"
        "model.add(keras.Input((8,)))\n"
        "model.add(layers.Dense(HIDDEN[0]))\n"
        "for units in HIDDEN[1:]:\n"
        "    model.add(layers.Dense(units))\n"
        "model.add(layers.Dense(1))\n"
        'model.compile("sgd", "mse")\nmodel.fit(x, y)\n'
    )
    assert "nn.Linear(in_features, units)" in text
    assert "layers.append(nn.Linear(in_features, 1))" in text


def test_parts_are_held_by_attributes():
    text, codes = migrated(
        "\nclass Pair:\n"
        "    def __init__(self):\n"
        "        inputs = keras.Input((8,))\n"
        "        self.encoder = keras.Model(inputs, layers.Dense(3)(inputs))\n"
        "        codes = keras.Input((3,))\n"
        "        self.decoder = keras.Model(codes, layers.Dense(8)(codes))\n"
        "        whole = keras.Input((8,))\n"
        "        self.both = keras.Model(whole, self.decoder(self.encoder(whole)))\n"
        '        self.both.compile("sgd", "mse")\n\n\n'
        "pair = Pair()\npair.both.fit(x, x)\nprint(pair.encoder.predict(x))\n"
    )
    assert codes == []
    assert "self.both = Both(self.encoder, self.decoder)" in text or (
        "self.both = Both(self.decoder, self.encoder)" in text
    )
    assert "predict(pair.encoder, x)" in text


def test_a_trainer_is_made_where_none_is_sure_to_be():
    text, _ = migrated(
        "\nmodel = keras.Sequential([keras.Input((8,)), layers.Dense(1)])\n"
        'model.compile("sgd", "mse")\nmodel.fit(x, y)\n\n\n'
        "def ask(often):\n"
        "    if often:\n"
        "        first = model.predict(x)\n"
        "    return model.predict(x)\n\n\nask(True)\n"
    )
    inside = text[text.index("def ask") :]
    assert inside.count("trainer = L.Trainer(") == 2


def test_a_trainer_made_on_both_sides_is_there_after_them():
    text, _ = migrated(
        "\nmodel = keras.Sequential([keras.Input((8,)), layers.Dense(1)])\n"
        'model.compile("sgd", "mse")\n\n\n'
        "def train(much):\n"
        "    if much:\n"
        "        model.fit(x, y, epochs=4)\n"
        "    else:\n"
        "        model.fit(x, y)\n"
        "    return model.predict(x)\n\n\ntrain(np.random.rand() > 0.5)\n"
    )
    assert text.count("trainer = L.Trainer(") == 2


def test_comments_above_a_builder_and_a_model_stay():
    text, _ = migrated(
        "\n# makes the net\n"
        "def make():\n"
        "    model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])\n"
        '    model.compile("sgd", "mse")\n'
        "    return model\n\n\n"
        "net = make()\nnet.fit(x, y)\n"
        "# another one\n"
        "other = keras.Sequential()\n"
        "other.add(keras.Input((8,)))\n"
        "other.add(layers.Dense(1))\n"
        'other.compile("sgd", "mse")\nother.fit(x, y)\n'
    )
    assert "# makes the net\nclass Make(" in text
    assert "# another one\nother = Other()" in text


def test_comments_of_an_optimizer_and_its_schedule_stay():
    text, codes = migrated(
        "\nmodel = keras.Sequential([keras.Input((8,)), layers.Dense(1)])\n"
        "# falls slowly\n"
        "rate = keras.optimizers.schedules.CosineDecay(0.1, 100)  # per batch\n"
        "# plain\n"
        "optimizer = keras.optimizers.SGD(rate)  # no momentum\n"
        "# all together\n"
        'model.compile(optimizer, "mse")\n'
        "model.fit(x, y)\n"
    )
    assert codes == []
    said = ["falls slowly", "per batch", "plain", "no momentum", "all together"]
    lines = "".join(f"        # {line}\n" for line in said)
    assert f"def configure_optimizers(self):\n{lines}        optimizer" in text


def test_a_parameter_is_never_doubled():
    """Python would not take ``def __init__(self, self)``; the parser alone does."""
    from k2t.splice.splice import Unsplicable, check

    with pytest.raises(Unsplicable):
        check("def f(a, a):\n    pass\n")
