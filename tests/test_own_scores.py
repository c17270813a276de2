"""Losses and metrics that are classes of the script."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """\
import keras
import numpy as np
from keras import layers, ops

x = np.zeros((64, 8), "float32")
y = {y}


class Off(keras.losses.Loss):
    def __init__(self, power=2.0, {kwargs}):
        super().__init__({base})
        self.power = power

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) ** self.power, axis=-1)


class Count(keras.metrics.Metric):
    def __init__(self, name="count", {kwargs}):
        super().__init__(name=name)
        self.total = self.add_weight(name="total", {start})

    def update_state(self, y_true, y_pred, sample_weight=None):
        {body}

    def result(self):
        return self.total

    def reset_state(self):
        {reset}


model = keras.Sequential([keras.Input((8,)), layers.Dense({units})])
model.compile("sgd", loss={loss}, metrics=[{metric}])
model.fit(x, y)
"""
USUAL = {
    "y": 'np.zeros((64, 3), "float32")',
    "kwargs": "**kwargs",
    "base": 'name="off", **kwargs',
    "start": 'initializer="zeros"',
    "body": "self.total.assign_add(ops.sum(ops.abs(y_true - y_pred)))",
    "reset": "self.total.assign(0.0)",
    "units": "3",
    "loss": "Off(3.0)",
    "metric": "Count()",
}


def migrated(**changed: str) -> tuple[str, list[str]]:
    done = migrate(SCRIPT.format(**USUAL | changed).encode(), "train.py")
    return done.text or "", [f"{f.code} {f.message}" for f in done.findings]


def test_they_become_a_module_and_a_metric():
    text, found = migrated()
    assert not found
    assert "class Off(nn.Module):" in text
    assert "def forward(self, y_true, y_pred):" in text
    assert "class Count(Metric):" in text
    assert "reset_state" not in text
    assert 'self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")' in text
    assert "self.total += (y_true - y_pred).abs().sum()" in text
    assert "loss = self.loss_function(y, y_pred).mean()" in text


@pytest.mark.parametrize(
    "changed",
    [
        {"metric": 'Count(name="sum")'},
        {"loss": "Off(power=3.0)"},
        {"reset": "for v in self.variables:\n            v.assign(0)"},
        {"reset": "super().reset_state()"},
        {
            "start": "shape=(3,), initializer='zeros'",
            "body": "self.total.assign(ops.sum(y_true, 0))",
        },
        {"base": 'name="off", reduction="sum_over_batch_size"'},
    ],
)
def test_carried(changed):
    assert migrated(**changed)[1] == []


@pytest.mark.parametrize(
    ("arguments", "base", "made", "name"),
    [
        ("", "", "MyAUC()", "my_auc"),
        ('name="x"', "", "MyAUC()", "my_auc"),
        ("name=None", "name=name", "MyAUC()", "my_auc"),
        ('*, name="kwname"', "name=name", "MyAUC()", "kwname"),
        ('label="lab"', "name=label", "MyAUC()", "lab"),
        ('label="lab"', "name=label", "MyAUC('other')", "other"),
        ('label="lab"', "None, label", "MyAUC()", "lab"),
        ("**kwargs", "**kwargs", "MyAUC(name='given')", "given"),
        ("**kwargs", "name='own', **kwargs", "MyAUC()", "own"),
    ],
)
def test_the_name_in_the_logs_is_keras(arguments, base, made, name):
    head = 'self, name="count", **kwargs):\n        super().__init__(name=name)'
    script = SCRIPT.format(**USUAL | {"metric": made})
    assert head in script
    given = ", ".join(filter(None, ["self", arguments]))
    script = script.replace(head, f"{given}):\n        super().__init__({base})")
    done = migrate(script.replace("class Count", "class MyAUC").encode(), "train.py")
    assert not done.findings
    assert f'"{name}": ' in done.text


def test_a_name_that_is_not_known_is_refused():
    script = SCRIPT.format(**USUAL).replace(
        "super().__init__(name=name)", "super().__init__(name=f())"
    )
    assert any(
        "its name in the logs" in f.message for f in migrate(script.encode(), "t.py").findings
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"start": 'initializer="ones"'}, "add_weight of a metric like this"),
        ({"reset": "pass"}, "does not set all that it keeps to zero"),
        ({"reset": "self.total.assign(1.0)"}, "does not set all that it keeps to zero"),
        ({"base": 'reduction="sum"'}, "what it tells the class that it extends"),
        ({"loss": 'Off(reduction="sum")'}, "reduction= of Off"),
        (
            {"y": "np.zeros(64, 'int32')", "loss": '"sparse_categorical_crossentropy"'},
            "class numbers",
        ),
    ],
)
def test_refused(changed, reason):
    assert any(reason in message for message in migrated(**changed)[1])


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("print(Off(3.0)(y, 1 - y))", ["a call of Off by the script"]),
        ("off = Off(3.0); print(off(y, 1 - y))", ["a call of Off by the script"]),
        ("print([off(y, y) for off in [Off(), Off(3.0)]])", ["a call of Off by the script"]),
        ("print(Off().call(y, y))", ["a call of Off.call by the script"]),
        ('off = Off(reduction="sum")', ["reduction= of Off"]),
        (
            'off = Off(reduction="sum"); print(off(y, y))',
            ["reduction= of Off", "a call of Off by the script"],
        ),
        ("count = Count(); print(count(y, y))", ["a call of Count by the script"]),
        ("Count().update_state(y, y)", ["a call of Count.update_state by the script"]),
        ("print(Count().result())", ["a call of Count.result by the script"]),
    ],
)
def test_the_script_does_not_call_them_itself(line, refused):
    """Keras takes the mean of what a loss gives, or their sum; a module gives all of it."""
    head, model, tail = SCRIPT.format(**USUAL).partition("model = ")
    done = migrate(f"{head}{line}\n{model}{tail}".encode(), "train.py")
    said = [f"K2T900 {what} is not migrated" for what in refused]
    assert [f"{f.code} {f.message}" for f in done.findings] == said
    assert {done.source.line_of(f.span.start) for f in done.findings} == {head.count("\n") + 1}


def test_keras_3_hands_them_flat_targets():
    text, found = migrated(y='np.zeros(64, "float32")', units="1")
    assert {message[:6] for message in found} == {"K2T506"}
    assert "self.loss_function(y.flatten(), y_pred).mean()" in text
    assert "count.update(y.flatten(), y_pred)" in text


def test_in_rounds_each_has_its_own():
    script = SCRIPT.format(**USUAL)
    head, tail = script.split("model = ")
    body = "".join(f"    {line}\n" for line in f"model = {tail}".splitlines())
    done = migrate(f"{head}for k in range(3):\n{body}".encode(), "train.py")
    assert not done.findings


HOLDER = """\
import keras
import numpy as np
from keras import layers

x, y = np.zeros((64, 8), "float32"), np.zeros((64, 1), "float32")


class Both(keras.metrics.Metric):
    def __init__(self):
        super().__init__(name="both")
        self.first = keras.metrics.{first}
        self.second = keras.metrics.Recall()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.first.update_state({given})
        self.second.update_state(y_true, y_pred)

    def result(self):
        return self.first.result() + self.second.result()

    def reset_state(self):
        self.first.reset_state()
        {reset}


model = keras.Sequential([keras.Input((8,)), layers.Dense(1, activation="sigmoid")])
model.compile("sgd", loss="binary_crossentropy", metrics=[Both()])
model.fit(x, y)
"""


def held(first: str = "AUC()", given: str = "y_true, y_pred", reset: str = "") -> tuple[str, str]:
    reset = reset or "self.second.reset_state()"
    done = migrate(HOLDER.format(first=first, given=given, reset=reset).encode(), "train.py")
    return done.text or "", " ".join(f.message for f in done.findings)


@pytest.mark.parametrize(
    ("first", "made", "update"),
    [
        ("AUC()", "AUC()", "y_pred, y_true"),
        ("AUC(curve='PR')", 'AUC(curve="PR")', "y_pred, y_true"),
        ("Precision(0.3)", "BinaryPrecision()", "(y_pred > 0.3).int(), y_true.int()"),
        ("TruePositives()", "SumMetric()", "((y_pred > 0.5) & (y_true != 0)).sum()"),
    ],
)
def test_a_metric_may_hold_others(first, made, update):
    text, found = held(first)
    assert not found
    assert f"self.first = {made}" in text
    assert f"self.first.update({update})" in text
    again = text.partition("def reset(self):")[2]
    assert [line.strip() for line in again.splitlines()[1:4]] == [
        "super().reset()",
        "self.first.reset()",
        "self.second.reset()",
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"reset": "pass"}, "does not set all that it keeps to zero"),
        ({"first": "MeanSquaredError()"}, "what it gives is not known"),
        ({"first": "Precision(top_k=2)"}, "top_k=...) is not carried over"),
        ({"given": "y_true, y_pred, y_true"}, "Precision.update_state"),
    ],
)
def test_what_it_may_not_hold(changed, reason):
    assert reason in held(**{"first": "Precision()"} | changed)[1]


def test_evaluate_gives_its_values_in_order_of_keras() -> None:
    """A function that gives one value a batch is logged behind the others."""
    text, codes = in_order("loss, most, mae = model.evaluate(x, y)")
    assert codes == []
    listed = "loss, most, mae = [logs[name] for logs in trainer.test(model, make_loader(x, y), "
    listed += 'verbose=False) for name in ("loss", "largest", "mae")]'
    assert listed in " ".join(text.split()).replace("[ ", "[").replace(" ]", "]")


def in_order(end: str) -> tuple[str, list[str]]:
    script = f"""\
import keras
import numpy as np
from keras import layers, ops


def largest(y_true, y_pred):
    return ops.max(ops.abs(y_true - y_pred))


x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")
model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
model.compile("sgd", "mse", metrics=[largest, "mae"])
model.fit(x, y)
{end}
"""
    done = migrate(script.encode(), "train.py")
    return done.text or "", [f.code for f in done.findings]
