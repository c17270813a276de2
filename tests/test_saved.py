"""``load_model``: which class a file holds, and how another instance of it is made."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = """\
import keras
import numpy as np
from keras import layers
from keras.callbacks import ModelCheckpoint

x, y = np.random.rand(64, 8), np.random.rand(64, 1)
UNITS = 16


def build(units, rate=0.5):
    inputs = keras.Input((8,))
    h = layers.Dropout(rate)(layers.Dense(units)(inputs))
    return keras.Model(inputs, layers.Dense(1)(h))


def other():
    return keras.Sequential([keras.Input((8,)), layers.Dense(1)])


"""
FIT = 'model.compile("adam", "mse")\nmodel.fit(x, y)\n'


def migrated(body: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + body).encode(), "train.py")
    return done.text or "", [f.code for f in done.findings]


def test_it_is_made_with_the_arguments_of_the_first() -> None:
    text, codes = migrated(
        f"model = build(UNITS, rate=0.1)\n{FIT}model.save('a.h5')\n"
        "best = keras.models.load_model('a.h5')\nprint(best.evaluate(x, y))\n"
    )
    assert codes == ["K2T800"]
    assert 'best = Build(UNITS, rate=0.1)\nbest.load_state_dict(torch.load("a.h5"))\n' in text


@pytest.mark.parametrize("path", ["'b.h5'", "folder + '/b.h5'"])
def test_the_file_says_which_class(path: str) -> None:
    text, codes = migrated(
        f"folder = input()\nmodel = build(4)\n{FIT}model.save('a.h5')\n"
        f"model = other()\n{FIT}model.save({path})\n"
        f"best = keras.models.load_model({path}, custom_objects={{}}, compile=False)\n"
    )
    assert codes == ["K2T800", "K2T800"]
    assert f"best = Other()\nbest.load_state_dict(torch.load({path}))\n" in text.replace('"', "'")


def test_a_checkpoint_holds_the_model_that_is_fitted() -> None:
    _, codes = migrated(
        f"first = other()\nmodel = build(4)\n{FIT.replace('y)', 'y, callbacks=[keep])')}"
        "best = keras.models.load_model('a.h5')\n".replace("keep", "ModelCheckpoint('a.h5')")
    )
    assert "K2T802" not in codes


@pytest.mark.parametrize(
    "body",
    [
        # two classes, and neither is saved there
        f"model = build(4)\n{FIT}model = other()\n{FIT}best = keras.models.load_model('a.h5')\n",
        # the variable is another number by now
        f"n = 4\nmodel = build(n)\n{FIT}model.save('a.h5')\nn = 8\n"
        "best = keras.models.load_model('a.h5')\n",
        # two instances that were made with other arguments
        f"model = build(4)\n{FIT}model = build(8)\n{FIT}best = keras.models.load_model('a.h5')\n",
        f"model = other()\n{FIT}keras.models.load_model('a.h5').evaluate(x, y)\n",
    ],
)
def test_what_is_not_known_is_refused(body: str) -> None:
    _, codes = migrated(body)
    assert "K2T802" in codes


def test_a_file_that_the_script_does_not_write() -> None:
    text, codes = migrated(f"model = other()\n{FIT}best = keras.models.load_model('a.h5')\n")
    assert codes == ["K2T801"]
    assert "best = Other()\n" in text


LOADED = "best = keras.models.load_model('a.h5')\n"


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (LOADED + "best.fit(x, y)\n", "K2T804"),
        (LOADED + "model.fit(x, y)\n", "K2T720"),
        (LOADED + 'best.compile("sgd", "mse")\nbest.fit(x, y)\n', None),
    ],
)
def test_its_optimizer_starts_afresh(behind: str, code: str | None) -> None:
    _, codes = migrated(f"model = build(4)\n{FIT}model.save('a.h5')\n{behind}")
    assert [c for c in codes if c not in ("K2T800",)] == ([code] if code else [])


def test_which_optimizer_it_has_is_not_guessed() -> None:
    _, codes = migrated(
        f"model = build(4)\n{FIT}model.save('a.h5')\nmodel = build(4)\n"
        + FIT.replace("adam", "sgd")
        + LOADED
        + "best.fit(x, y)\n"
    )
    assert "K2T804" in codes
