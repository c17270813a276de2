"""Functions and objects of the script that layers are made with."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

SCRIPT = """\
import keras
import numpy as np
from keras import layers, ops

x = np.zeros((64, 8), "float32")
y = np.zeros((64, 1), "float32")
{own}
model = keras.Sequential([keras.Input((8,)), layers.Dense(4, {given}), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, y)
"""


def migrated(own: str, given: str, dialect: str = "keras3") -> tuple[str, list[str]]:
    text = SCRIPT.format(own=own, given=given)
    done = migrate(text.encode(), "train.py", dialect=dialect)
    return done.text or "", [f.message for f in done.findings]


@pytest.mark.parametrize(
    ("own", "given", "reason"),
    [
        ("", "activation=lambda x: x * ops.sigmoid(x)", "a lambda here"),
        ("def f(x):\n    return ops.fft(x)\n", "activation=f", "what it gives is not known"),
        (
            "def f(x):\n    return x if ops.sum(x) > 0 else -x\n",
            "activation=f",
            "what it gives is not known",
        ),
        (
            "def f(w):\n    w -= 1.0\n    return ops.sum(w)\n",
            "kernel_regularizer=f",
            "changed in place",
        ),
        (
            "for f in [lambda x: x, lambda x: 2 * x]:\n    pass\n",
            "activation=f",
            "bound in another function, or again later",
        ),
        ("class F:\n    def __call__(self, w):\n        return w\n", "kernel_constraint=F()", ""),
    ],
)
def test_what_is_refused(own, given, reason):
    text, messages = migrated(own, given)
    assert any(reason in message for message in messages)
    assert "raise NotImplementedError" in text


def test_a_function_that_goes_by_places_is_refused_where_torch_keeps_another_form():
    own = "def f(w):\n    return ops.sum(ops.cumsum(w, axis=0))\n"
    script = SCRIPT.replace("(64, 8)", "(64, 8, 3)").replace("Input((8,))", "Input((8, 3))")
    script = script.replace("layers.Dense(4, {given})", "layers.LSTM(4, {given})")
    text = script.format(own=own, given="kernel_regularizer=f")
    done = migrate(text.encode(), "train.py", dialect="keras3")
    assert any(f.severity == "error" for f in done.findings)


@pytest.mark.parametrize(
    ("axis", "dim"), [("0", "1"), ("1", "0"), ("-1", "0"), ("[0, 1]", "(0, 1)")]
)
def test_axes_of_norms_are_those_of_torchs_weight(axis, dim):
    text, messages = migrated("", f"kernel_constraint=keras.constraints.UnitNorm(axis={axis})")
    assert messages == []
    assert f"unit_norm(self.layers[0].weight, dim={dim})" in text


def test_an_activity_regularizer_of_keras_2_is_refused():
    _, messages = migrated("", "activity_regularizer='l2'", "keras2")
    assert any("does not divide by the size of the batch" in message for message in messages)


def test_a_layer_that_keeps_its_penalty_is_called_once():
    text = SCRIPT.format(own="", given="activity_regularizer='l2'").replace(
        "model = keras.Sequential([keras.Input((8,)), layers.Dense(4, activity_regularizer='l2'), "
        "layers.Dense(1)])",
        "inputs = keras.Input((8,))\nd = layers.Dense(8, activity_regularizer='l2')\n"
        "model = keras.Model(inputs, layers.Dense(1)(d(d(inputs))))",
    )
    done = migrate(text.encode(), "train.py", dialect="keras3")
    assert any("add_metric that is called again" in f.message for f in done.findings)


RECURRENT = SCRIPT.replace("(64, 8)", "(64, 8, 3)").replace(
    "keras.Input((8,)), layers.Dense(4, {given})", "keras.Input((8, 3)), {given}"
)


def recurrent(given: str) -> tuple[str, list[str]]:
    done = migrate(RECURRENT.format(own="", given=given).encode(), "train.py", dialect="keras3")
    return " ".join((done.text or "").split()), [f.message for f in done.findings]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (
            "layers.GRU(4, bias_regularizer='l2', bias_constraint='non_neg')",
            [
                "0.01 * self.gru.bias_ih_l0.square().sum()",
                "0.01 * self.gru.bias_hh_l0.square().sum()",
                "self.gru.bias_hh_l0.clamp_(min=0)",
            ],
        ),
        (
            "layers.Bidirectional(layers.LSTM(4, kernel_regularizer='l1', "
            "recurrent_constraint='non_neg'))",
            [
                "0.01 * self.lstm.weight_ih_l0.abs().sum()",
                "0.01 * self.lstm.weight_ih_l0_reverse.abs().sum()",
                "self.lstm.weight_hh_l0.clamp_(min=0)",
                "self.lstm.weight_hh_l0_reverse.clamp_(min=0)",
            ],
        ),
    ],
)
def test_all_that_is_one_weight_in_keras_is_penalised_and_held(given, lines):
    text, messages = recurrent(given)
    assert messages == []
    assert all(line in text for line in lines)


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("stateful=True", "a stateful layer inside Bidirectional"),
        ("no_such=1", "LSTM(no_such=...)"),
        ("activity_regularizer='l2'", "around or in a Bidirectional"),
        ("trainable=False", "trainable=False of a Bidirectional"),
    ],
)
def test_the_layer_inside_a_bidirectional_is_looked_at(inside, reason):
    _, messages = recurrent(f"layers.Bidirectional(layers.LSTM(4, {inside}))")
    assert any(reason in message for message in messages)


SCHEDULE = """\
class Rate(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, start):
        super().__init__()
        self.start = start

    def __call__(self, step):
        step = ops.cast(step, "float32")
        {body}
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return self.start / (1 + step)", None),
        ("return ops.where(step < 10, self.start, self.start / step)", None),
        ("return self.start if step < 10 else self.start / step", "is not known"),
        ("return 0.1", "what it gives is not known"),
    ],
)
def test_a_schedule_of_the_scripts_own_gives_the_rate_of_a_step(body, problem):
    own = SCHEDULE.format(body=body)
    text = SCRIPT.format(own=own, given='activation="relu"')
    text = text.replace('"sgd"', "keras.optimizers.SGD(Rate(0.1), momentum=0.9)")
    done = migrate(text.encode(), "train.py")
    if problem is None:
        assert not done.findings
        assert "lambda step: Rate(0.1)(torch.tensor(step)).item()" in (done.text or "")
    else:
        assert any(problem in f.message and f.code == "K2T165" for f in done.findings)


def test_a_schedule_may_be_asked_for_its_curve():
    own = SCHEDULE.format(body="return self.start / (1 + step)")
    own += "rate = Rate(0.1)\ncurve = rate(ops.arange(100, dtype='float32'))\nprint(rate(7))\n"
    text = SCRIPT.format(own=own, given='activation="relu"')
    done = migrate(text.replace('"sgd"', "keras.optimizers.SGD(rate)").encode(), "train.py")
    assert not done.findings
    assert "curve = rate(torch.arange(100, dtype=torch.float32))" in (done.text or "")
    assert "print(rate(torch.tensor(7)))" in (done.text or "")


@pytest.mark.parametrize("dtype", ["'int32'", "tf.int32", "np.int64"])
def test_a_curve_over_steps_of_another_type_is_refused(dtype):
    own = "import tensorflow as tf\n" + SCHEDULE.format(body="return self.start / (1 + step)")
    own += f"rate = Rate(0.1)\ncurve = rate(tf.range(100, dtype={dtype}))\n"
    text = SCRIPT.format(own=own, given='activation="relu"')
    done = migrate(text.replace('"sgd"', "keras.optimizers.SGD(rate)").encode(), "train.py")
    assert any("a schedule called like this" in f.message for f in done.findings)
