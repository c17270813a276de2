"""Saves Keras models in every format, with inputs and outputs: `save_models.py ENGINE FOLDER`.

The models are those of golden scripts, taken at their first fit, and those of `kinds.py` beside
this file. All weights are random, biases and statistics too.
"""

import runpy
import sys
import warnings
from pathlib import Path

import numpy as np

from k2t.verify.probes.engines import load_engine

warnings.simplefilter("ignore")
ENGINE, FOLDER = sys.argv[1], Path(sys.argv[2])
GOLDEN = Path(__file__).parents[3] / "golden"
KERAS3 = (
    "batchnorm_cnn",
    "builder_function",
    "class_weight",
    "gru_forecast",
    "imdb_style_bilstm",
    "layer_zoo",
    "loop_depth",
    "regression_functional",
    "save_and_load",
    "simple_rnn_bidirectional",
    "star_import",
)
TF_KERAS = ("legacy_spelling", "builder_function", "gru_forecast", "regression_functional")
keras = load_engine(ENGINE)


class Fitted(BaseException):
    """Carries a model and its data out of a script."""


def stop(model, x, *args, **kwargs):
    raise Fitted(model, x)


def golden(name):
    keras.backend.clear_session()
    fit, keras.Model.fit = keras.Model.fit, stop
    try:
        runpy.run_path(str(GOLDEN / name / "before.py"), run_name="__main__")
    except Fitted as fitted:
        return fitted.args
    finally:
        keras.Model.fit = fit
    raise AssertionError(f"{name} fits nothing")


def save(name, model, x):
    x = np.asarray(x)[:6]
    x = x.astype("float32") if x.dtype.kind == "f" else x
    model(x[:2])  # a model without an input shape has no weights before
    rng = np.random.default_rng(5)
    random = []
    for weight, value in zip(model.weights, model.get_weights(), strict=True):
        low = 0.5 if "variance" in weight.name or "gamma" in weight.name else -0.4
        random.append(rng.uniform(low, low + 0.8, value.shape).astype(value.dtype))
    model.set_weights(random)
    last = model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    y = np.asarray(model(x))
    np.savez(FOLDER / f"{ENGINE}-{name}.npz", x=x, y=y, activation=activation)
    base = str(FOLDER / f"{ENGINE}-{name}")
    model.save_weights(base + ".weights.h5")
    if ENGINE == "tf_keras":
        model.save_weights(base + ".w.h5")
    model.save(base + ".keras")
    if model.__class__.__module__.startswith(("keras", "tf_keras")):
        model.save(base + ".h5")


for case in KERAS3 if ENGINE == "keras3" else TF_KERAS:
    save(case, *golden(case))
kinds = runpy.run_path(str(Path(__file__).with_name("kinds.py")))
for case, (model, x) in kinds["models"]().items():
    save(case, model, x)
