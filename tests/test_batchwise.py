"""``train_on_batch``: what becomes a method of the class, and what is refused."""

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
"""
MODEL = """
model = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(1)])
model.compile("sgd", "mse")
"""
PAIR = """
judge = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(1)])
judge.compile("sgd", "mse")
maker = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(8)])
inputs = keras.Input((8,))
"""


def migrated(body: str, dialect: str = "keras3") -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py", dialect=dialect)
    return done.text or "", [f.code for f in done.findings]


def pair(freezes: str, dialect: str = "tf_keras") -> tuple[str, list[str]]:
    return migrated(
        f"{PAIR}{freezes}\n"
        "both = keras.Model(inputs, judge(maker(inputs)))\n"
        'both.compile("sgd", "mse")\n'
        "judge.train_on_batch(x, y)\nprint(both.train_on_batch(x, y))\n",
        dialect,
    )


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("model.fit(x, y)\nmodel.train_on_batch(x, y)", "K2T731"),
        ("model.train_on_batch(x, y, sample_weight=y[:, 0])", "K2T703"),
        ("model.train_on_batch(x, y, return_dict=True)", "K2T703"),
        ('model.train_on_batch(x, y)\nmodel.compile("adam", "mse")', "K2T731"),
    ],
)
def test_refused(rest, code):
    assert code in migrated(MODEL + rest)[1]


def test_several_outputs_are_refused():
    body = """
inputs = keras.Input((8,))
one, two = layers.Dense(1, name="one")(inputs), layers.Dense(1, name="two")(inputs)
model = keras.Model(inputs, [one, two])
model.compile("sgd", ["mse", "mse"])
model.train_on_batch(x, [y, y])
"""
    assert "K2T731" in migrated(body)[1]


def test_a_metric_that_keeps_a_state_is_refused():
    one = MODEL.replace("layers.Dense(1)", 'layers.Dense(1, activation="sigmoid")')
    one = one.replace('"mse"', '"binary_crossentropy", metrics=[keras.metrics.Precision()]')
    assert "K2T731" in migrated(one + "model.train_on_batch(x, y)")[1]


def test_the_call_stays_and_is_a_method():
    text, codes = migrated(MODEL + "loss = model.train_on_batch(x, y)\n")
    assert codes == []
    assert "loss = model.train_on_batch(x, y)" in text
    assert "return loss.item()" in text
    assert "training_step" not in text


def test_an_optimizer_gets_what_was_not_frozen_when_it_was_compiled():
    text, codes = pair("judge.trainable = False")
    assert codes == []
    assert "torch.optim.SGD(self.maker.parameters(), lr=0.01)" in text
    assert "torch.optim.SGD(self.parameters(), lr=0.01)" in text
    assert "trainable" not in text
    assert "requires_grad_" not in text


def test_single_layers_that_are_frozen():
    text, codes = migrated(
        MODEL.replace('model.compile("sgd", "mse")', "model.layers[0].trainable = False")
        + 'model.compile("sgd", "mse")\nmodel.train_on_batch(x, y)\n'
    )
    assert codes == []
    assert "torch.optim.SGD(self.layers[1].parameters(), lr=0.01)" in text


def test_a_part_frozen_in_part_is_refused():
    _, codes = pair("judge.layers[0].trainable = False")
    assert "K2T721" in codes


def test_keras_3_follows_trainable_at_once():
    text, codes = pair("judge.trainable = False", "keras3")
    assert "K2T721" in codes
    assert "raise NotImplementedError" in text


def test_loops_that_freeze_go():
    text, codes = pair(
        "for layer in judge.layers:\n    layer.trainable = False\njudge.trainable = False"
    )
    assert codes == []
    assert "trainable" not in text


def test_frozen_norms_keep_their_statistics_in_a_step():
    body = PAIR.replace(
        "layers.Dense(4), layers.Dense(1)", "layers.BatchNormalization(), layers.Dense(1)"
    )
    rest = """
judge.trainable = False
both = keras.Model(inputs, judge(maker(inputs)))
both.compile("sgd", "mse")
judge.train_on_batch(x, y)
both.train_on_batch(x, y)
"""
    text, codes = migrated(body + rest, "tf_keras")
    assert codes == []
    assert "freeze_norms(self.judge)" in text
    assert "K2T721" in migrated(body + rest, "keras2")[1]


def test_a_rate_that_decays_goes_on_with_each_step():
    text, codes = migrated(
        MODEL.replace('"sgd"', "keras.optimizers.SGD(lr=0.1, decay=1e-3)")
        + "model.train_on_batch(x, y)\n",
        "keras2",
    )
    assert codes == []
    assert "self.decay = LambdaLR(self.optimizer, lambda step: 1 / (1 + 1e-3 * step))" in text
    assert "self.decay.step()" in text


def test_targets_of_two_forms_are_brought_into_one():
    text, _ = migrated(MODEL + "model.train_on_batch(x, y)\nmodel.train_on_batch(x, y[:, 0])\n")
    assert "y.view_as(y_pred)" in text or "y.float().view_as(y_pred)" in text


def test_predict_gives_the_probabilities():
    text, codes = migrated(
        MODEL.replace("layers.Dense(1)", 'layers.Dense(3, activation="softmax")').replace(
            '"mse"', '"sparse_categorical_crossentropy"'
        )
        + "model.train_on_batch(x, np.zeros(64))\n"
        + "print(model.predict(x), model.predict_on_batch(x))\n"
    )
    assert codes == []
    assert "return self(x).softmax(1).cpu().numpy()" in text
    assert "print(model.predict(x), model.predict(x))" in text


@pytest.mark.parametrize(
    ("optimizer", "counted"),
    [("keras.optimizers.SGD(clipnorm=1.0)", False), ("keras.optimizers.Adam(clipnorm=1.0)", True)],
)
def test_steps_are_counted_where_their_number_is_asked_for(optimizer, counted):
    text, codes = migrated(MODEL.replace('"sgd"', optimizer) + "model.train_on_batch(x, y)\n")
    assert codes == []
    assert "p.grad.norm()" in text
    assert ("self.steps" in text) is counted
