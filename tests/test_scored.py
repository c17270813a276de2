"""Losses and metrics of the script: what may not be carried over, and names they share."""

import ast

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """\
import keras
import numpy as np
from keras import ops

inputs = np.random.rand(64, 4).astype("float32")
targets = np.random.rand(64, 2).astype("float32")


{functions}


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
model.compile(loss={loss}, metrics=["mae"])
model.fit(inputs, targets)
"""


def migrated(functions: str, loss: str):
    return migrate(SCRIPT.format(functions=functions, loss=loss).encode(), "script.py")


def errors(functions: str, loss: str = "distance") -> list[str]:
    return [f.message for f in migrated(functions, loss).findings if f.severity == "error"]


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("y_pred[:, 0] *= 2", "y_pred[:, 0]"),
        ("y_pred = y_pred - 1", None),
        ("total = 0\n    total += y_pred\n    total *= 2", None),
    ],
)
def test_tensors_changed_in_place_are_refused(body: str, changed: str | None) -> None:
    function = f"def distance(y_true, y_pred):\n    {body}\n    return ops.mean(y_pred - y_true)"
    said = [m for m in errors(function) if "is changed in place" in m]
    assert [m.split(": ")[1].split(" is")[0] for m in said] == ([changed] if changed else [])


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("y_pred -= 1", "y_pred = y_pred - 1"),
        ("y_pred /= ops.sum(y_pred, axis=-1, keepdims=True)",
         "y_pred = y_pred / y_pred.sum(dim=-1, keepdim=True)"),
        ("part = y_pred[:, 0]\n    part *= 1 + y_true[:, 0]", "part = part * (1 + y_true[:, 0])"),
        ("y_pred -= 1\n    y_pred *= 2", "y_pred = y_pred - 1\n    y_pred = y_pred * 2"),
    ],
)  # fmt: skip
def test_a_name_is_bound_to_a_new_tensor_as_in_keras(lines: str, wanted: str) -> None:
    function = f"def distance(y_true, y_pred):\n    {lines}\n    return ops.mean(y_pred - y_true)"
    assert errors(function) == []
    assert wanted in (migrated(function, "distance").text or "")


def test_a_function_that_the_loss_calls_changes_a_tensor() -> None:
    functions = (
        "def centred(y):\n    y -= ops.mean(y)\n    return y\n\n\n"
        "def distance(y_true, y_pred):\n    return ops.mean(centred(y_pred) - centred(y_true))"
    )
    assert errors(functions) == []
    assert "    y = y - y.mean()\n" in (migrated(functions, "distance").text or "")


@pytest.mark.parametrize("name", ["loss", "logits", "x", "y", "batch", "mae", "prefix", "distance"])
def test_a_loss_named_like_a_variable_of_the_step(name: str) -> None:
    function = f"def {name}(y_true, y_pred):\n    return ops.mean(ops.square(y_pred - y_true))"
    result = migrated(function, name)
    assert not [f for f in result.findings if f.severity == "error"]
    (model,) = [
        node
        for node in ast.parse(result.text).body
        if isinstance(node, ast.ClassDef) and node.name == "Model"
    ]
    (step,) = [node for node in model.body if getattr(node, "name", "") == "training_step"]
    assert isinstance(step, ast.FunctionDef)
    names = [node for node in ast.walk(step) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {a.arg for a in step.args.args} - {"self"}
    called = {
        node.func.id
        for node in ast.walk(step)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called.isdisjoint(bound), ast.unparse(step)


def test_the_losses_of_several_outputs_named_like_their_values() -> None:
    script = """\
import keras
import numpy as np
from keras import ops

inputs = np.random.rand(64, 4).astype("float32")


def a_loss(y_true, y_pred):
    return ops.mean(ops.square(y_pred - y_true))


x = keras.Input((4,))
a = keras.layers.Dense(2, name="a")(x)
b = keras.layers.Dense(2, name="b")(x)
model = keras.Model(x, [a, b])
model.compile(loss=[a_loss, "mse"])
model.fit(inputs, [np.random.rand(64, 2), np.random.rand(64, 2)])
"""
    result = migrate(script.encode(), "script.py")
    assert not [f for f in result.findings if f.severity == "error"]
    assert "a_loss_value = a_loss(a_true, a)" in result.text
    assert '"a_loss": a_loss_value' in result.text


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("2 * ops.subtract(y_pred, y_true)", "2 * (y_pred - y_true)"),
        ("ops.subtract(y_pred, y_true) ** 2", "(y_pred - y_true) ** 2"),
        ("-ops.add(y_pred, y_true)", "-(y_pred + y_true)"),
        ("y_true - ops.subtract(y_true, y_pred)", "y_true - (y_true - y_pred)"),
        ("ops.add(y_pred, y_true)[:, 0]", "(y_pred + y_true)[:, 0]"),
        ("2 / ops.multiply(y_pred, y_true)", "2 / (y_pred * y_true)"),
        ("ops.multiply(y_pred, y_true) / 2", "y_pred * y_true / 2"),
        ("ops.mean(ops.subtract(y_pred, y_true))", "(y_pred - y_true).mean()"),
        (
            "(\n        ops.subtract(y_pred, y_true)\n        * 3\n    )",
            "(y_pred - y_true)\n        * 3",
        ),
    ],
)
def test_an_operation_that_becomes_an_operator_keeps_its_brackets(
    written: str, wanted: str
) -> None:
    text = migrated(f"def distance(y_true, y_pred):\n    return {written}", "distance").text
    assert wanted in text
    assert f"({wanted})" not in text


FIT_TELLS_NO_TARGETS = """\
import numpy as np
from keras.layers import Dense, Flatten
from keras.models import Sequential
from keras.preprocessing.image import ImageDataGenerator

x = np.random.rand(32, 8, 8, 1).astype("float32")
y = np.eye(3, dtype="float32")[np.random.randint(0, 3, 32)]
model = Sequential([Flatten(input_shape=(8, 8, 1)), Dense(3, activation="softmax")])
model.compile("adam", "mse", metrics=["accuracy"])
model.fit(ImageDataGenerator().flow_from_directory("images"))
model.evaluate(x, y)
"""


def test_an_evaluate_tells_the_targets_that_the_fit_does_not() -> None:
    found = migrate(FIT_TELLS_NO_TARGETS.encode(), "script.py")
    assert found.text is not None
    assert 'task="multiclass", num_classes=3' in found.text
    assert "K2T503" not in {f.code for f in found.findings}
