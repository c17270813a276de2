"""Every row of the table proves itself: its samples give the same numbers in both frameworks."""

import logging

import numpy as np
import pytest
import torch

from k2t import table
from tests.rows.cases import HEAD, MERGES, Case, in_double
from tests.rows.cells import CELLS
from tests.rows.run import errors, keras_values
from tests.rows.torch_side import execute, migrated
from tests.rows.training import all_cases, optimizer_script

TABLE = table.load()


def alpha_dropout(rate):
    """What AlphaDropout makes of a dropped one and of a kept one, by its source."""
    floor = -1.7580993408473766
    scale = ((1 - rate) * (1 + rate * floor**2)) ** -0.5
    shift = -scale * floor * rate
    return [scale * floor + shift, scale + shift]


PROVED = (
    "layers",
    "ops",
    "activations",
    "initializers",
    "regularizers",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
    "constraints",
)
CASES = all_cases()
# no samples of their own: golden cases prove models and classes of the script as layers, chance,
# and what is about the whole batch or weights
GOLDEN = (
    "layers/Model",
    "layers/Custom",
    "layers/Application",  # and test_applications.py
    "layers/Preprocess",
    "layers/Chain",
    "ops/random_normal",
    "ops/random_uniform",
    "ops/random_dropout",
    "ops/backend_flatten",
    "ops/dot",
    "ops/truncated_normal",  # these five in test_draws.py
    "ops/random_bernoulli",
    "ops/randint",
    "ops/categorical",
    "ops/shuffle",
    "ops/eye",
    "ops/scalar",
    "ops/number",
    "optimizers/RMSpropLegacy",  # these three in test_helper_optimizers.py
    "optimizers/AdagradLegacy",
    "optimizers/NadamLegacy",
)
# layer, shape of the input, axes that are dropped as a whole, what ones become
DROPOUTS = [
    ("Dropout(0.3)", (50, 40), (), [0, 1 / 0.7]),
    ("SpatialDropout1D(0.3)", (8, 200), (1,), [0, 1 / 0.7]),
    ("SpatialDropout2D(0.3)", (4, 5, 100), (1, 2), [0, 1 / 0.7]),
    ("AlphaDropout(0.3)", (50, 40), (), alpha_dropout(0.3)),
]


@pytest.fixture(scope="session")
def keras(request, tmp_path_factory):
    """What Keras makes of the cases that were asked for, in one child process."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    asked = [
        item.callspec.params.get("case")
        for item in request.session.items
        if hasattr(item, "callspec")
    ]
    return keras_values(
        [c for c in (*CASES, *DOUBLES) if c in asked], tmp_path_factory.mktemp("rows")
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sample(case, keras):
    found = errors(case, keras)
    assert found
    assert {what: error for what, error in found.items() if error > case.bound} == {}


# what has numbers of single precision inside in Keras or TensorFlow (slopes, scales, kernels of
# images), by its bound; the errors are those of `python -m tests.rows layers/ --double`
SINGLE = {
    1e-7: {  # 4e-9 to 3e-8
        "Activation", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D",
        "GroupQueryAttention", "LSTM", "LSTMCell", "LeakyReLU", "MultiHeadAttention", "ReLU",
        "RandomBrightness", "RandomColorDegeneration", "RandomGaussianBlur", "RandomSharpness",
    },
    3e-7: {"Rescaling", "RandomSaturation", "UpSampling2D"},  # 6e-8, 9e-8, 1.1e-7
    # 5e-7 to 8.4e-7, Resizing 1.3e-6
    2e-6: {"RandomColorJitter", "RandomHue", "RandomTranslation", "RandomZoom", "Resizing"},
}  # fmt: skip
# what TensorFlow says of pooling in three dimensions, and of single times double in RandomRotation
MISSING = (
    "Could not find device for node: {{node AvgPool3D}} = AvgPool3D[T=DT_DOUBLE,",
    "Value for attr 'T' of double is not in the list of allowed values: half, bfloat16, float\n"
    "\t; NodeDef: {{node MaxPool3D}}",
    "calling RandomRotation.call().\n\n\x1b[1mcannot compute Mul as input #1(zero-based) was "
    "expected to be a double tensor but is a float tensor",
)
DOUBLES = [in_double(c) for c in CASES if isinstance(c, Case) and c.row.startswith("layers/")]


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", DOUBLES, ids=lambda case: case.name)
def test_sample_in_double_precision(case, keras):
    values = keras[case.name]
    if isinstance(values, str):
        assert any(words in values for words in MISSING), values
        pytest.skip("Keras has no double precision here")
    name = case.row.removeprefix("layers/")
    bound = next((bound for bound, names in SINGLE.items() if name in names), case.bound)
    found = errors(case, keras)
    assert {what: error for what, error in found.items() if error > bound} == {}


@pytest.mark.parametrize("section", PROVED)
def test_every_row_has_samples(section):
    proved = {case.row for case in CASES} | {*GOLDEN}
    assert [name for name in TABLE.section(section) if f"{section}/{name}" not in proved] == []


def test_a_layer_with_arguments_has_three_samples():
    rows = TABLE.section("layers").values()
    few = [row.name for row in rows if row.params and 0 < len(row.get("samples", ())) < 3]
    assert few == []


def test_merge_layers_are_the_rows_without_samples():
    """Only layers of several inputs have their samples in code."""
    rows = TABLE.section("layers").values()
    assert {row.name for row in rows if not row.get("samples")} == {
        *MERGES,
        "Dot",
        "Model",
        "Custom",
        "Application",
        "Preprocess",
        "Chain",
        "MultiHeadAttention",
        "GroupQueryAttention",
        "Attention",
        "AdditiveAttention",
        *CELLS,
        "ThresholdedReLU",  # Keras 3 has none: its cases are those of Keras 2
    }


@pytest.mark.parametrize(
    "name", [name for name, row in TABLE.section("optimizers").items() if row.get("strings")]
)
def test_optimizer_by_string_is_the_class(name):
    row = TABLE.section("optimizers")[name]
    text = optimizer_script(f'"{row.get("strings")[0]}"')
    assert migrated(text, "keras3") == migrated(
        optimizer_script(f"keras.optimizers.{name}()"), "keras3"
    )


@pytest.mark.parametrize(("layer", "shape", "whole", "values"), DROPOUTS)
def test_dropout_drops_what_keras_drops(layer, shape, whole, values):
    text = f"{HEAD}model = keras.Sequential([keras.Input({shape}), layers.{layer}])\n"
    model = execute(migrated(text, "keras3"))["model"].train()
    torch.manual_seed(0)
    out = model(torch.ones(16, *shape)).numpy()
    np.testing.assert_allclose(np.unique(out), values, rtol=1e-6)
    assert (out == out.min()).mean() == pytest.approx(0.3, abs=0.03)
    for axis in range(1, out.ndim):
        assert (out.max(axis) == out.min(axis)).all() == (axis in whole)


@pytest.mark.parametrize(
    ("layer", "low", "high"),
    [
        ("RandomContrast(0.5, value_range=(-9, 9))", 1.0, 1.5),
        ("RandomContrast((0.2, 0.4))", 0.8, 1.4),
    ],
)
def test_contrast_is_changed_as_much_as_keras_changes_it(layer, low, high):
    """Keras 3 takes one number as the upper limit only."""
    text = f"{HEAD}model = keras.Sequential([keras.Input((4, 4, 1)), layers.{layer}])\n"
    model = execute(migrated(text, "keras3"))["model"].train()
    torch.manual_seed(0)
    x = torch.linspace(1, 2, 16).reshape(1, 4, 4, 1).repeat(2000, 1, 1, 1)
    out = model(x)
    factors = (out.amax((1, 2, 3)) - out.amin((1, 2, 3))).numpy()
    np.testing.assert_allclose([factors.min(), factors.max()], [low, high], atol=2e-3)


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_each_image_is_mirrored_by_a_chance_of_its_own(mode):
    text = (
        f'{HEAD}model = keras.Sequential([keras.Input((3, 3, 1)), layers.RandomFlip("{mode}")])\n'
    )
    model = execute(migrated(text, "keras3"))["model"].train()
    torch.manual_seed(0)
    x = torch.arange(9.0).reshape(1, 3, 3, 1).repeat(4000, 1, 1, 1)
    ways, counts = np.unique(model(x).flatten(1).numpy(), axis=0, return_counts=True)
    assert len(ways) == (4 if "and" in mode else 2)
    np.testing.assert_allclose(counts / 4000, 1 / len(ways), atol=0.03)
