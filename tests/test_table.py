"""The compiled rule table is the one the rules say."""

import json
import tomllib

import pytest

from k2t import table
from k2t.pipeline import migrate

pytestmark = pytest.mark.quick


def test_compiled_table_is_up_to_date():
    shipped = table.COMPILED.read_text(encoding="utf-8")
    assert json.loads(shipped) == json.loads(table.compile_rules()), "run python -m k2t.table"
    assert shipped == table.compile_rules(), "run python -m k2t.table"


def test_rows_are_found_by_every_keras_name():
    loaded = table.load()
    for rows in loaded.rows.values():
        for row in rows.values():
            for path in row.keras:
                assert loaded.find(path) is row, f"{path} leads to two rows"


def test_a_name_has_a_rule_or_a_reason_why_it_has_none():
    loaded = table.load()
    assert loaded.refused
    for name in loaded.refused:
        known = loaded.find(name) if isinstance(name, str) else loaded.by_string.get(name)
        assert known is None, f"{name} is refused, and has a row"


def test_a_refusal_is_names_and_a_reason():
    for path in table.RULES.glob("*.toml"):
        for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if "refused" in entry:
                assert set(entry) <= {"keras", "strings", "under", "refused"}, (
                    f"{path.name}: {name}"
                )
                assert isinstance(entry["refused"], str), f"{path.name}: {name}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("keras.backend.gradients", "torch.autograd.grad"),
        ("tensorflow.lite.TFLiteConverter.from_keras_model", "torch.export"),
        ("tensorflow.compat.v1.Session", "computes at once"),
        ("tensorflow.lattice", "tensorflow.lattice is not migrated"),
        ("tensorflow_addons.optimizers.AdamW", "divided by the rate"),
        ("tensorflow_addons.optimizers.RectifiedAdam", "torch.optim.RAdam"),
        ("tensorflow_addons.losses.TripletSemiHardLoss", "nn.TripletMarginLoss"),
        ("tensorflow_addons.metrics.CohenKappa", "torchmetrics has CohenKappa"),
        ("tensorflow_addons.layers.Maxout", "TensorFlow Addons is of TensorFlow alone"),
        ("tensorflow_hub.KerasLayer", "torch.hub"),
    ],
)
def test_names_that_begin_alike_have_one_reason(path, reason):
    assert reason in table.load().left(path)


@pytest.mark.parametrize(
    "use",
    [
        "model = keras.Sequential([keras.Input((3,)), keras.layers.JaxLayer(print)])",
        "from keras.layers import *\nmodel = keras.Sequential([Input((3,)), JaxLayer(print)])",
        "x = keras.Input((3,))\nmodel = keras.Model(x, keras.layers.JaxLayer(print)(x))",
        "print(keras.layers.JaxLayer(print))",
    ],
)
def test_a_refusal_says_its_reason(use):
    result = migrate(f"import keras\n\n{use}\n".encode(), "train.py")
    messages = [finding.message for finding in result.findings]
    assert any("keras.layers.JaxLayer is not migrated: what it" in one for one in messages), (
        messages
    )


def test_a_bad_signature_names_its_row(tmp_path):
    (tmp_path / "layers.toml").write_text('[Dense]\nsignature = "units, ="\n')
    with pytest.raises(ValueError, match=r"layers\.toml: Dense"):
        table.compile_rules(tmp_path)


@pytest.mark.parametrize(
    ("optimizer", "loss", "metric", "code"),
    [
        ("tfa.optimizers.AdamW(1e-4)", '"mse"', '"mae"', "K2T400"),
        ('"sgd"', "tfa.losses.SigmoidFocalCrossEntropy()", '"mae"', "K2T301"),
        ('"sgd"', '"mse"', "tfa.metrics.F1Score(num_classes=3)", "K2T500"),
    ],
)
def test_what_addons_have_is_refused_by_name(optimizer, loss, metric, code):
    script = (
        "import keras\nimport tensorflow_addons as tfa\n\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])\n"
        f"model.compile({optimizer}, {loss}, metrics=[{metric}])\nmodel.fit(x, y)\n"
    )
    result = migrate(script.encode(), "train.py")
    messages = {f.code: f.message for f in result.findings}
    assert messages[code].startswith("tensorflow_addons.")
    assert "import tensorflow_addons" not in result.text
