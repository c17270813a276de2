"""Tensor operations in models: what is written, and what is refused at its line."""

import ast

import pytest

from k2t.ir.finding import Severity
from k2t.lower import brackets
from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """import numpy as np
import keras
import tensorflow as tf
from keras import layers, ops
from tensorflow.keras import backend as K

inputs = keras.Input({shape})
x = {front}(inputs)
{lines}
model = keras.Model(inputs, y)
model.compile("sgd", "mse")
model.fit(np.zeros((64, *{shape})), np.zeros(64))
"""


def migrated(lines, shape=(8,), front="layers.Dense(8)"):
    text = SCRIPT.format(lines=lines, shape=shape, front=front)
    return migrate(text.encode(), "train.py")


def forward(lines, **more):
    """The lines of `forward` behind the first layer."""
    done = migrated(lines, **more)
    assert [f.message for f in done.findings if f.severity is Severity.ERROR] == []
    for node in ast.walk(ast.parse(done.text)):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            return [ast.unparse(s) for s in node.body[1:]]
    raise AssertionError(done.text)


@pytest.mark.parametrize(
    ("expression", "torch"),
    [
        ("ops.maximum(0.0, x)", "x.clamp(min=0.0)"),
        ("tf.concat(axis=1, values=[x, x * 2])", "torch.cat([x, x * 2], 1)"),
        ("K.expand_dims(x)", "x.unsqueeze(-1)"),
        ("tf.cast(x > 0, tf.float32) * x", "(x > 0).float() * x"),
        ("ops.mean(x, -1, True)", "x.mean(dim=-1, keepdim=True)"),
        ("x - (x - 1)", "x - (x - 1)"),
        ("(-x) ** 2 / 3", "(-x) ** 2 / 3"),
        ("ops.square(x + 1)", "(x + 1).square()"),
        ("layers.Lambda(lambda t, n=3: t ** n)(x)", "x ** 3"),
        ("layers.Lambda(K.square)(x)", "x.square()"),
        ("layers.Lambda(lambda t, s: s * t, arguments={'s': 2})(x)", "2 * x"),
        ("K.sqrt(K.sum(K.square(x), axis=1))", "x.square().sum(dim=1).sqrt()"),
        ("K.sqrt(x)", "x.clamp(min=0).sqrt()"),
    ],
)
def test_spelling(expression, torch):
    assert forward(f"y = {expression}") == [f"return {torch}"]


@pytest.mark.parametrize(
    ("expression", "torch"),
    [
        ("ops.max(x, axis=-1)", "return x.amax(dim=1)"),
        ("ops.max(x, axis=(1, 2))", "return x.amax(dim=(2, 3))"),
        (
            "ops.concatenate([x, -x], axis=-1)",
            "y = torch.cat([x, -x], 1); return y.permute(0, 2, 3, 1)",
        ),
        (
            "ops.concatenate([x, inputs], axis=1)",
            "return torch.cat([x.permute(0, 2, 3, 1), inputs], 1)",
        ),
        ("x[:, 0]", "return x.permute(0, 2, 3, 1)[:, 0]"),
        ("ops.softmax(x, axis=-1)", "y = x.softmax(1); return y.permute(0, 2, 3, 1)"),
        ("ops.sum(x, axis=1)", "y = x.sum(dim=2); return y.transpose(1, 2)"),
    ],
)
def test_axes_follow_the_layout(expression, torch):
    lines = forward(f"y = {expression}", shape=(6, 5, 4), front="layers.Conv2D(4, 1)")
    assert "; ".join(lines) == torch


@pytest.mark.parametrize(
    "lines",
    [
        "y = ops.sum(x, axis=0, keepdims=True)",
        "y = ops.sum(x)",
        "y = x[0]",
        "y = x[:, ::-1]",
        "y = ops.reshape(x, (16, -1))",
        "y = ops.transpose(x)",
        "y = ops.matmul(x, x)",
        "y = x * np.ones(8)",
        "y = x << 2",
        "y = x + layers.Reshape((8, 1))(x)",
        "y = x if x > 0 else -x",
        "y = ops.squeeze(ops.expand_dims(x, -1))",
        "y = ops.norm(x, ord=3, axis=1)",
        "y = ops.sum(x, 1, True, 0)",
        "y = layers.Lambda(lambda t: layers.Dense(3)(t))(x)",
        "y = layers.Lambda(lambda t: t.numpy())(x)",
        "k = 2.0\ny = layers.Lambda(lambda t: t * k)(x)\nk = 3.0",
        "y = [layers.Lambda(lambda t: t[:, i:i + 1])(x) for i in range(3)][1]",
        "y, i = x, 0\nwhile i < 3:\n    y = layers.Dense(8)(y)\n    i += 1",
        "def f(t):\n    if len(names) > 1:\n        return t * 2\n    return t\n"
        "y = layers.Lambda(f)(x)",
        "def f(t):\n    for _ in names:\n        t = t * 2\n    return t\ny = layers.Lambda(f)(x)",
        "def f(t):\n    try:\n        t = t * 2\n    except ValueError:\n        t = t * 3\n"
        "    return t\ny = layers.Lambda(f)(x)",
    ],
)
def test_what_is_not_understood_is_an_error(lines):
    done = migrated(lines)
    assert any(f.severity is Severity.ERROR for f in done.findings)
    assert "raise NotImplementedError" in (done.text or "")


def test_a_builders_argument_reaches_forward():
    script = (
        "import keras\n\n\ndef build(scale):\n    inputs = keras.Input((8,))\n"
        "    return keras.Model(inputs, keras.layers.Dense(3)(inputs * scale))\n\n\n"
        'model = build(0.5)\nmodel.compile("sgd", "mse")\n'
    )
    text = migrate(script.encode(), "train.py").text
    assert "self.scale = scale" in text
    assert "inputs * self.scale" in text


@pytest.mark.parametrize(
    ("symbol", "parts", "text"),
    [
        (" - ", ["a", "b - c"], "a - (b - c)"),
        (" - ", ["a - b", "c"], "a - b - c"),
        (" * ", ["a + b", "c * d"], "(a + b) * (c * d)"),
        (" + ", ["a * b", "f(c + d)"], "a * b + f(c + d)"),
    ],
)
def test_brackets_of_sums_and_products(symbol, parts, text):
    assert brackets.arithmetic(symbol, parts) == text


def test_a_function_that_is_also_called_elsewhere_stays():
    done = migrated(
        "def twice(t):\n    return t * 2\n\ny = layers.Lambda(twice)(x)\nprint(twice(3))"
    )
    assert "def twice(t):" in done.text
    assert "x * 2" in done.text


def test_a_function_of_a_lambda_goes_with_what_declares_its_shape():
    done = migrated(
        "def twice(t):\n    return K.sum(t, axis=1)\n\ndef shape(s):\n    return s[:1]\n\n"
        "y = layers.Lambda(twice, output_shape=shape)(x)"
    )
    assert [f for f in done.findings if f.severity is Severity.ERROR] == []
    assert "def twice" not in done.text
    assert "def shape" not in done.text


def test_a_shape_as_numbers_of_the_script():
    done = migrated("size = K.int_shape(x)\ny = layers.Dense(size[1] // 2)(x)")
    assert "size = (None, 8)" in done.text
    assert not [f for f in done.findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("lines", "layer"),
    [
        ("_, z = tf.split(x, [2, -1], axis=1)", "nn.Linear(6, 3)"),
        ("z = ops.diff(x, n=1)", "nn.Linear(7, 3)"),
        ("n = int(input())\nz = ops.diff(x, n=n)", "nn.LazyLinear(3)"),
        ("z = tf.gather(x, [1], axis=1, batch_dims=int(input()))", None),
    ],
)
def test_a_width_is_known_or_left_open(lines, layer):
    done = migrated(f"{lines}\ny = layers.Dense(3)(z)")
    errors = [f.message for f in done.findings if f.severity is Severity.ERROR]
    assert (layer is None) == any("batch_dims is not known" in e for e in errors)
    assert layer is None or layer in done.text


@pytest.mark.parametrize(
    ("cast", "number"),
    [
        ("tf.cast(7 / 2, 'int32')", "3"),
        ("tf.cast(9 / 2, tf.int64)", "4"),
        ("tf.cast(tf.cast(7 / 2, tf.int32), tf.float32)", "3"),
        ("tf.cast(7 / 2, tf.float32)", "3.5"),
    ],
)
def test_a_number_that_is_cast(cast, number):
    assert forward(f"y = x + {cast}") == [f"return x + {number}"]


def test_a_shape_that_changes_is_refused():
    lines = "y = x\nfor n in (4, 2):\n    y = layers.Dense(n)(y)\n    print(K.int_shape(y))"
    errors = [f for f in migrated(lines).findings if f.severity is Severity.ERROR]
    assert [f.message for f in errors] == ["keras.backend.int_shape has several values here"]
    assert "(None" not in migrated(lines).text


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (
            "y = layers.Multiply()([layers.Add()([x, x]), layers.Subtract()([x, z])])",
            "(x + x) * (x - z)",
        ),
        ("y = layers.Subtract()([x, layers.Subtract()([z, x])])", "x - (z - x)"),
        ("y = layers.Average()([layers.Add()([x, z]), z])", "(x + z + z) / 2"),
        ("y = layers.Activation('hard_sigmoid')(layers.Add()([x, z]))", "(0.2 * (x + z) + 0.5)"),
        ("y = layers.Activation('tanh')(layers.Add()([x, z]))", "(x + z).tanh()"),
        (
            "y = layers.GlobalMaxPooling1D()(layers.Activation('tanh')(ops.matmul(x, z)))",
            "(x @ z).tanh()",
        ),
    ],
)
def test_layers_of_expressions_in_one_line_keep_brackets(lines, wanted):
    square = "matmul" in lines
    text = SCRIPT.format(
        lines=f"z = layers.Dense(8)(x)\n{lines}",
        shape=(8, 8) if square else (8,),
        front="layers.Dense(8)",
    )
    made = migrate(text.encode(), "train.py", dialect="tf_keras").text
    assert wanted in made


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("tf.one_hot(tf.argmax(x, 1), 4, 2.0, 0.0)", "tensorflow.one_hot(off_value=...)"),
        ("ops.take_along_axis(x, ops.argmax(x))", "keras.ops.take_along_axis without axis"),
        ("tf.zeros(n)", "tensorflow.zeros of a size that is not known here"),
    ],
)
def test_an_argument_that_is_not_carried_is_named(call, said):
    messages = " ".join(
        f.message for f in migrated(f"y = layers.Lambda(lambda x: {call})(x)").findings
    )
    assert said in messages, messages


NAMED = """import keras
import numpy as np
import tensorflow as tf
from keras import layers

TOP, HIGH = 2, 4
x = np.random.rand(64, 8, 8, 3).astype("float32")
inputs = keras.Input((8, 8, 3))
pictures = {expression}
model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(pictures)))
model.compile("sgd", "mse")
model.fit(x, x[:, 0, 0, :1])
"""


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            "tf.image.crop_to_bounding_box(inputs, TOP, 0, HIGH, HIGH)",
            "inputs[:, TOP : TOP + HIGH, :HIGH]",
        ),
        ("tf.slice(inputs, [0, TOP, 1, 0], [-1, HIGH, 3, -1])", "inputs[:, TOP : TOP + HIGH, 1:4]"),
    ],
)
def test_where_a_slice_begins_and_ends_keeps_its_names(expression: str, text: str) -> None:
    result = migrate(NAMED.format(expression=expression).encode(), "train.py")
    assert result.text is not None
    assert text in result.text
