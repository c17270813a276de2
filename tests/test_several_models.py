"""Several models in a script: what they share, what is refused, and which tensors keep a name."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers

x_train = np.random.rand(64, 8).astype("float32")
y_train = np.random.rand(64, 1).astype("float32")
"""


def migrated(script: str) -> tuple[str, list[str]]:
    outcome = migrate((HEAD + script).encode(), "script.py")
    return outcome.text or "", [f.code for f in outcome.findings]


def test_a_tensor_still_to_be_read_is_not_overwritten() -> None:
    """``x`` is the input and read twice: the converted convolution needs another variable."""
    text, codes = migrated(
        """\
images = np.random.rand(64, 8, 8, 3).astype("float32")
x = keras.Input((8, 8, 3))
z = layers.Add()([layers.Conv2D(3, 3, padding="same")(x), x])
model = keras.Model(x, layers.Dense(1)(layers.GlobalAveragePooling2D()(z)))
model.compile("sgd", "mse")
model.fit(images, y_train)
"""
    )
    assert codes == []
    assert "x1 = self.conv(x.permute(0, 3, 1, 2))" in text
    assert "z = x1.permute(0, 2, 3, 1) + x" in text


def test_outputs_without_a_variable_are_two_tensors() -> None:
    text, _ = migrated(
        """\
inputs = keras.Input((8,))
encoder = keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(3)(inputs)])
first, second = encoder(inputs)
model = keras.Model(inputs, layers.Dense(1)(layers.Add()([first, second])))
model.compile("sgd", "mse")
model.fit(x_train, y_train)
"""
    )
    returned = next(line for line in text.split("\n") if line.strip().startswith("return x"))
    first, second = returned.strip().removeprefix("return ").split(", ")
    assert first != second


def test_a_layer_in_two_sequentials_is_refused() -> None:
    text, codes = migrated(
        """\
shared = layers.Dense(8)
one = keras.Sequential([keras.Input((8,)), shared, layers.Dense(1)])
two = keras.Sequential([keras.Input((8,)), shared, layers.Dense(1)])
one.compile("sgd", "mse")
one.fit(x_train, y_train)
two.compile("sgd", "mse")
two.fit(x_train, y_train)
"""
    )
    assert "K2T901" in codes
    assert "it shares layers with another model" in text


def test_a_part_is_handed_in_and_only_the_own_layers_are_initialised() -> None:
    text, codes = migrated(
        """\
base = keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(4)])
model = keras.Sequential([keras.Input((8,)), layers.Dense(10), base, layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x_train, y_train)
"""
    )
    assert codes == []
    assert "model = Model(base)" in text
    assert "for layer in (self.layers[0], self.layers[2]):" in text


def test_a_list_of_one_input_is_that_input() -> None:
    text, codes = migrated(
        """\
inputs = keras.Input((8,))
model = keras.Model([inputs], layers.Dense(1, name="value")(inputs))
model.compile("sgd", "mse")
model.fit([x_train], [y_train])
same = keras.Model(model.inputs, model.get_layer("value").output)
print(same.predict(x_train))
"""
    )
    assert codes == []
    assert "make_loader(x_train, y_train, shuffle=True)" in text
    assert "predict(same, x_train)" in text


def test_a_function_of_the_backend_is_one_error() -> None:
    text, codes = migrated(
        """\
from keras import backend as K

model = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x_train, y_train)
hidden = K.function([model.layers[0].input], [model.layers[0].output])
print(hidden([x_train])[0].shape)
"""
    )
    assert codes == ["K2T900"]
    assert "not migrated" in text


def test_a_model_may_share_a_layer_of_the_script() -> None:
    """Its modules start with the model that has it."""
    text, codes = migrated(
        """\
class Weigh(layers.Layer):
    def __init__(self):
        super().__init__()
        self.score = layers.Dense(1)

    def call(self, x):
        weights = self.score(x)
        return x * weights, weights


inputs = keras.Input((8,))
weighed, weights = Weigh()(inputs)
model = keras.Model(inputs, layers.Dense(1)(weighed))
view = keras.Model(inputs, weights)
model.compile("sgd", "mse")
model.fit(x_train, y_train)
print(view.predict(x_train[:2]))
"""
    )
    assert codes == []
    assert "self.weigh = model.weigh" in text
    assert text.count("apply(init_weights)") == 1
