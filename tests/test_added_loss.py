"""A loss that a script adds to its model: the step has it, or the script stops at its line."""

from __future__ import annotations

import pytest

from k2t.ir.finding import Severity
from k2t.pipeline import Migration, migrate

from .golden import GOLDEN

pytestmark = pytest.mark.quick

SCRIPT = (GOLDEN / "variational_parts" / "before.py").read_text(encoding="utf-8")
ADDED = "vae.add_loss(K.mean(reconstruction + BETA * kl))"
COMPILED = "vae.compile(optimizer=Adam(learning_rate=0.002))"


def edited(*changes: tuple[str, str], dialect: str = "tf_keras") -> Migration:
    text = SCRIPT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return migrate(text.encode(), "vae.py", dialect=dialect)


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        ((ADDED, "vae.add_loss(lambda: K.mean(kl))"), "vae.add_loss", "add_loss"),
        ((ADDED, "vae.add_loss(kl)"), "vae.add_loss", "it is not one number"),
        ((ADDED, f"{ADDED}\n{ADDED}"), "vae.add_loss", "several times"),
        ((ADDED, "encoder.add_loss(K.mean(kl))"), "encoder.add_loss", "not compiled itself"),
        ((COMPILED, "vae.compile('adam', loss='mse')"), "vae.add_loss", "a loss as well"),
        ((ADDED, f"{ADDED}\nprint(K.int_shape(kl))"), "vae.add_loss", "read elsewhere"),
        (("K.exp(z_log_var)\n", "K.digamma(z_log_var)\n"), "kl = 1", "digamma is not migrated"),
        (
            ("K.random_normal", "K.random_poisson"),
            "    noise",
            "random_poisson is not migrated",
        ),
    ],
)
def test_what_cannot_be_added_is_refused_where_it_stands(
    change: tuple[str, str], line: str, reason: str
) -> None:
    text = SCRIPT.replace(*change)
    errors = [f for f in edited(change).findings if f.severity is Severity.ERROR]
    places = [f.span.start for f in errors if reason in f.message]
    assert places
    starts = [text.rfind("\n", 0, place) + 1 for place in places]
    assert any(text.startswith(line, start) for start in starts)


def test_noise_has_the_mean_and_deviation_of_its_call() -> None:
    text = edited(("shape=(batch, LATENT))", "shape=(batch, LATENT), mean=0.5, stddev=0.1)")).text
    assert text is not None
    assert "noise = 0.5 + 0.1 * torch.randn_like(z_mean)" in text


def test_an_epoch_weighs_batches_as_the_dialect_does() -> None:
    new, old = edited().text, edited(dialect="keras2").text
    assert new is not None
    assert old is not None
    assert "prog_bar=True, batch_size=1)" in new
    assert "prog_bar=True)" in old


def test_assignments_in_place_make_new_tensors() -> None:
    change = ("kl = -0.5 * K.sum(kl, axis=-1)", "kl = K.sum(kl, axis=-1)\nkl *= -0.5")
    text = edited(change).text
    assert text is not None
    assert "kl = kl * -0.5" in text


def test_evaluation_needs_no_targets() -> None:
    text = edited(("means, _, _", "print(vae.evaluate(test, None))\nmeans, _, _")).text
    assert text is not None
    assert 'trainer.test(vae, make_loader(test), verbose=False)[0]["loss"]' in text


def test_a_loss_may_flatten_with_a_layer() -> None:
    text = """\
import numpy as np
import tensorflow as tf

x = np.zeros((16, 4, 4, 1), "float32")


def dice(y_true, y_pred):
    y_true = tf.keras.layers.Flatten()(y_true)
    y_pred = tf.keras.layers.Flatten()(y_pred)
    return 1 - tf.reduce_sum(y_true * y_pred) / (tf.reduce_sum(y_true + y_pred) + 1.0)


model = tf.keras.Sequential([tf.keras.Input((4, 4, 1)), tf.keras.layers.Conv2D(1, 1)])
model.compile("sgd", dice)
model.fit(x, x)
"""
    done = migrate(text.encode(), "dice.py")
    assert not [f for f in done.findings if f.severity is Severity.ERROR]
    assert "y_pred = y_pred.flatten(1)" in (done.text or "")
