"""Policies of mixed precision: the Trainer's, or refused; jit_compile."""

from __future__ import annotations

import pytest

from k2t.pipeline import migrate

pytestmark = pytest.mark.quick

HEAD = "import numpy as np\nimport tensorflow as tf\nfrom tensorflow import keras\n\n"
MODEL = (
    'x = np.random.rand(64, 8).astype("float32")\n'
    "model = keras.Sequential([keras.layers.Dense(1, input_shape=(8,), dtype='float32')])\n"
    'model.compile("sgd", "mse")\n'
)
USED = "model.fit(x, x[:, :1])\nprint(model.predict(x))\n"


def migrated(text: str) -> tuple[str, list[str]]:
    done = migrate((HEAD + text).encode(), "train.py")
    assert done.text is not None
    return done.text, [f.code for f in done.findings if f.severity.value != "info"]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("keras.mixed_precision.set_global_policy('mixed_float16')", '"16-mixed"'),
        ("tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')", '"bf16-mixed"'),
        ("p = keras.mixed_precision.Policy('mixed_float16')\n"
         "keras.mixed_precision.set_global_policy(p)\nprint(p.compute_dtype)", '"16-mixed"'),
        ("p = keras.mixed_precision.experimental.Policy('mixed_float16')\n"
         "keras.mixed_precision.experimental.set_policy(p)", '"16-mixed"'),
    ],
)  # fmt: skip
def test_the_policy_is_the_trainers_precision(line, wanted):
    text, found = migrated(line + "\n" + MODEL + USED)
    assert found == ["K2T725"]
    assert f"    precision={wanted},\n" in text
    assert ".float().numpy()" in text
    assert "policy" not in text
    assert "compute_dtype" not in text


def test_single_precision_says_nothing():
    text, found = migrated("keras.mixed_precision.set_global_policy('float32')\n" + MODEL + USED)
    assert found == []
    assert "precision" not in text


@pytest.mark.parametrize(
    "text",
    [
        "keras.mixed_precision.set_global_policy('float16')\n" + MODEL + USED,
        "keras.mixed_precision.set_global_policy(input())\n" + MODEL + USED,
        MODEL + "keras.mixed_precision.set_global_policy('mixed_float16')\n" + USED,
        "if len(HEAD) > 3:\n    keras.mixed_precision.set_global_policy('mixed_float16')\n"
        + MODEL + USED,
        "keras.mixed_precision.set_global_policy('mixed_float16')\n" + MODEL
        + "model.train_on_batch(x, x[:, :1])\n",
        "p = keras.mixed_precision.Policy('mixed_float16')\n"
        "keras.mixed_precision.set_global_policy(p)\ndtype = p.compute_dtype\n" + MODEL + USED,
        "p = keras.mixed_precision.Policy('mixed_float16')\n"
        "keras.mixed_precision.set_global_policy(p)\nprint(p, np.random.rand())\n" + MODEL + USED,
    ],
)  # fmt: skip
def test_what_is_refused(text):
    assert "K2T900" in migrated(text)[1]


def test_a_model_is_compiled_before_its_first_fit():
    fit = "model.fit(x, x[:, :1])\n"
    text, _ = migrated(MODEL.replace('"mse"', '"mse", jit_compile=True') + fit + fit)
    assert text.count("model.compile()\ntrainer = L.Trainer(") == 1
    assert text.index("model.compile()") < text.index("trainer.fit(")
    assert "compile" not in migrated(MODEL + fit)[0]
    auto = MODEL.replace('"mse"', '"mse", jit_compile=False, run_eagerly=True')
    assert "compile" not in migrated(auto + fit)[0]


def test_batches_that_are_not_told_one_by_one():
    own = (
        "class Own(keras.callbacks.Callback):\n"
        "    def on_batch_end(self, batch, logs=None):\n        print(batch)\n\n\n"
    )
    fit = "model.fit(x, x[:, :1], callbacks=[Own()])\n"
    model = MODEL.replace('"mse"', '"mse", steps_per_execution={}')
    assert migrated(own + model.format(1) + fit)[1] == []
    assert migrated(own + model.format(8) + fit)[1] == ["K2T902"]
