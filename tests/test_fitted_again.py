"""Which optimizer a model comes to its next fit with: the one it had, or a fresh one."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np

x = np.random.rand(64, 8).astype("float32")
y = np.random.rand(64, 1).astype("float32")
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
"""
COMPILE = 'model.compile("adam", "mse")\n'
FUNCTION = "def train(m):\n    {}m.fit(x, y)\n\n\ntrain(model)\ntrain(model)\n"
LOOP = "for i in {}:\n    {}model.fit(x, y)\n"
INSIDE = 'model.compile("adam", "mse")\n    '


def migrated(body: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py")
    return done.text or "", [f.code for f in done.findings]


@pytest.mark.parametrize(
    "body",
    [
        COMPILE + "model.fit(x, y)\nmodel.fit(x, y)\n",
        COMPILE + FUNCTION.format(""),
        COMPILE + LOOP.format("range(3)", ""),
        COMPILE + LOOP.format('np.load("rounds.npy")', ""),
        # one optimizer object keeps its state when it is compiled in again
        "adam = keras.optimizers.Adam()\n"
        + LOOP.format("range(3)", 'model.compile(adam, "mse")\n    '),
    ],
)
def test_without_a_compile_between_it_goes_on(body: str) -> None:
    text, codes = migrated(body)
    assert "return self.optimizer" in text
    assert codes == ["K2T720"]


@pytest.mark.parametrize(
    "body",
    [
        COMPILE + "model.fit(x, y)\n",
        FUNCTION.format('m.compile("adam", "mse")\n    '),
        LOOP.format("range(3)", INSIDE),
        LOOP.format('np.load("rounds.npy")', INSIDE),
    ],
)
def test_compiled_anew_it_starts_afresh(body: str) -> None:
    text, codes = migrated(body)
    assert "self.optimizer" not in text
    assert codes == []


def test_both_in_one_script_is_refused() -> None:
    text, codes = migrated(LOOP.format("range(3)", INSIDE + "model.fit(x, y)\n    "))
    assert "K2T306" in codes
    assert "raise NotImplementedError" in text


AGAIN = 'model.compile("sgd", "mse")\nmodel.fit(x, y)\n{}\nmodel.fit(x, y)\n'


def test_another_learning_rate_is_an_attribute() -> None:
    text, codes = migrated(AGAIN.format('model.compile(keras.optimizers.SGD(1e-3), "mse")'))
    assert codes == []
    assert "self.learning_rate = 0.01" in text
    assert "lr=self.learning_rate" in text
    assert "\nmodel.learning_rate = 1e-3\n" in text


def test_the_same_compile_once_more_leaves_nothing() -> None:
    text, codes = migrated(AGAIN.format('model.compile(keras.optimizers.SGD(), "mse")'))
    assert codes == []
    assert "learning_rate" not in text


def test_another_optimizer_is_another_stage() -> None:
    text, codes = migrated(AGAIN.format('model.compile("adam", "mse")'))
    assert codes == []
    assert "self.stage = 1" in text
    assert "if self.stage == 1:\n            return torch.optim.SGD(" in text
    assert "if self.stage == 2:\n            # Keras adds epsilon" in text
    assert "\nmodel.stage = 2\n" in text


def test_what_surrounds_the_compile_stays() -> None:
    text, codes = migrated(
        "TUNED = True\n"
        + AGAIN.format(
            'if TUNED:\n    rate = 1e-3\n    model.compile(keras.optimizers.SGD(rate), "mse")'
        )
    )
    assert codes == []
    assert "if TUNED:\n    rate = 1e-3\n    model.learning_rate = rate\n" in text


@pytest.mark.parametrize(
    "again",
    [
        'model.compile("sgd", "mae")',
        'model.compile("sgd", "mse", metrics=["mae"])',
        'model.compile(keras.optimizers.SGD(0.1), "mse", loss_weights=[2.0])',
    ],
)
def test_anything_else_that_changes_is_refused(again: str) -> None:
    text, codes = migrated(AGAIN.format(again))
    assert {"K2T306", "K2T700"} & set(codes)
    assert "raise NotImplementedError" in text


def test_compiles_in_turns_are_refused() -> None:
    rounds = "for i in range(2):\n" + "".join(
        f'    model.compile(keras.optimizers.SGD({rate}), "mse")\n    model.fit(x, y)\n'
        for rate in (0.1, 0.01)
    )
    assert "K2T901" in migrated(rounds)[1]
