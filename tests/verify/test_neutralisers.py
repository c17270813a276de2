"""As emitted, a declared difference is seen; with its neutraliser the two programs agree."""

import re
from pathlib import Path

import pytest

from k2t.pipeline import migrate
from k2t.verify.compare import compare
from k2t.verify.neutral import FOLDER, NUMBERLESS, neutralisers, without
from k2t.verify.probes.child import load_file
from k2t.verify.run import Setting, record_keras, record_torch
from tests.conftest import LAUNCH

ROOT = Path(__file__).parents[2]
KERAS224 = ROOT / "tests" / "reference" / "keras224.py"

HEAD = """
import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x = rng.normal(size=(96, 8)).astype("float32")
y = (x[:, :1] * x[:, 1:2]).astype("float32")
series = rng.normal(size=(96, 6, 4)).astype("float32")
tokens = rng.integers(0, 12, size=(96, 10))
"""

# one model a code, so that the number of the fit tells which code it is about
PARTS = {
    "K2T405": """
adam = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
adam.compile(keras.optimizers.Adam(0.01), "mse")
adam.fit(x, 1e-4 * y, epochs=4, batch_size=16, verbose=0)
""",
    "K2T403": """
rms = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
rms.compile(keras.optimizers.RMSprop(0.01), "mse")
rms.fit(x, 1e-2 * y, epochs=2, batch_size=16, verbose=0)
""",
    "K2T122": """
gates = keras.Sequential([keras.Input((6, 4)),
    layers.GRU(6, reset_after=False, return_sequences=True),
    layers.LSTM(6, recurrent_activation="hard_sigmoid", return_sequences=True),
    layers.SimpleRNN(4, activation="elu", return_sequences=True),
    layers.SimpleRNN(4, activation="relu"), layers.Dense(1)])
gates.compile(keras.optimizers.SGD(0.05), "mse")
gates.fit(series, y, epochs=2, batch_size=16, verbose=0)
""",
    "K2T112": """
norm = keras.Sequential([keras.Input((8,)), layers.Dense(8),
    layers.BatchNormalization(momentum=0.8), layers.Reshape((2, 4)),
    layers.BatchNormalization(momentum=0.8), layers.Flatten(), layers.Dense(1)])
norm.compile(keras.optimizers.SGD(0.05), "mse")
norm.fit(x, y, epochs=2, batch_size=16, verbose=0, validation_data=(x, y))
""",
    "K2T307": """
padded = keras.Sequential([keras.Input((6, 4)), layers.Dense(3, activation="softmax")])
padded.compile(keras.optimizers.SGD(0.5), "categorical_crossentropy")
marks = np.eye(3, dtype="float32")[rng.integers(0, 3, size=(96, 6))]
marks[:, 3:] = 0
padded.fit(series, marks, epochs=2, batch_size=16, verbose=0)
""",
    "K2T406": """
words = keras.Sequential([keras.Input((10,), dtype="int32"), layers.Embedding(12, 4),
    layers.Flatten(), layers.Dense(1)])
words.compile(keras.optimizers.RMSprop(0.01), "mse")
words.fit(tokens, y, epochs=2, batch_size=16, verbose=0)
""",
    "K2T611": """
class Batches(keras.utils.Sequence):
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.order = np.arange(96)

    def __len__(self):
        return 6

    def __getitem__(self, i):
        rows = self.order[16 * i : 16 * i + 16]
        return x[rows], y[rows]

    def on_epoch_end(self):
        self.rng.shuffle(self.order)

drawn = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
drawn.compile(keras.optimizers.SGD(0.05), "mse")
batches, held_out = Batches(1), Batches(2)
drawn.fit(batches, epochs=3, verbose=0, validation_data=held_out)
""",
}
FITS = {"K2T405": [0], "K2T403": [1], "K2T122": [2], "K2T112": [3], "K2T307": [4], "K2T406": [5]}
FITS["K2T611"] = [6]


def written(folder, text, **options):
    """The script, its port, and the codes of what the port declares."""
    migration = migrate(text.encode(), "before.py", **options)
    assert not [f for f in migration.findings if f.severity == "error"], migration.findings
    for name, content in (("before.py", text), ("after.py", migration.text)):
        (folder / name).write_text(content)
    return {f.code for f in migration.findings if f.severity == "warning"}


def runs(folder, codes, engine, stubs=()):
    """(as emitted, neutralised): the figures of each fit, largest of losses, epochs and weights."""
    found = []
    for files in ((), neutralisers(codes)):
        setting = Setting(launch=LAUNCH, engine=engine, stubs=(*stubs, *files))
        keras = record_keras(folder / "before.py", setting)
        torch = record_torch(folder / "after.py", setting, weights_from=keras)
        report = compare(keras, torch)
        assert len(report.fits) == len(keras.fits) == len(torch.fits)
        assert all(fit.steps[0] == fit.steps[1] > 0 for fit in report.fits)
        found.append([max(f.overall, f.weights, *f.metrics.values()) for f in report.fits])
    return found


# what tf_keras computes as the port does
ALIKE = {"K2T406", "K2T611"}


@pytest.fixture(scope="module", params=["keras3", "tf_keras"])
def plain(request, tmp_path_factory):
    """All codes in one script, migrated with fidelity plain."""
    folder = tmp_path_factory.mktemp("plain")
    text = HEAD + "".join(PARTS.values())
    codes = written(folder, text, fidelity="plain", dialect=request.param)
    return request.param, codes, *runs(folder, codes, request.param)


def test_every_difference_is_declared_and_seen(plain):
    engine, codes, emitted, _ = plain
    said = {"K2T732"}  # of versions of tf.keras
    assert codes - said == PARTS.keys() - ({"K2T406"} if engine == "tf_keras" else set())
    for code in PARTS.keys() - (ALIKE if engine == "tf_keras" else set()):
        assert emitted[FITS[code][-1]] > 2e-5, code


def test_with_all_differences_taken_out_they_agree(plain):
    *_, neutralised = plain
    assert len(neutralised) == 7
    for number, figure in enumerate(neutralised):
        assert figure < 2e-6, f"fit {number}"


MIXED = """
maps = rng.normal(size=(96, 10, 10, 2)).astype("float32")
mixed = keras.Sequential([keras.Input((10, 10, 2)), layers.Conv2D(4, 3),
    layers.BatchNormalization(momentum=0.8), layers.GlobalAveragePooling2D(),
    layers.BatchNormalization(momentum=0.8), layers.Dense(1)])
mixed.compile(keras.optimizers.SGD(0.05), "mse")
mixed.fit(maps, y, epochs=2, batch_size=16, verbose=0, validation_data=(maps, y))
"""


def test_by_default_neutralisers_leave_exact_code_alone(tmp_path):
    """An Adam whose epsilon follows the step, and one BatchNorm of torch's beside a biased one."""
    codes = written(tmp_path, HEAD + PARTS["K2T405"] + MIXED, dialect="keras3")
    assert "K2T112" in codes
    port = (tmp_path / "after.py").read_text()
    assert re.findall(r"(?<!\w)(?:nn\.)?BatchNorm\dd\(\d", port) == [
        "nn.BatchNorm2d(4",
        "BatchNorm1d(4",
    ]
    emitted, neutralised = runs(tmp_path, codes | {"K2T405"}, "keras3")
    assert emitted[1] > 1e-4
    assert max(neutralised) < 1e-5


LOADED = """
model = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.02, momentum=0.9), "mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
model.save("model.keras")
again = keras.models.load_model("model.keras")
again.fit(x, y, epochs=2, batch_size=16, verbose=0)
"""


@pytest.mark.parametrize("engine", ["keras3", "tf_keras"])
def test_a_loaded_model_goes_on_with_a_fresh_optimizer(tmp_path, engine):
    codes = written(tmp_path, HEAD + LOADED, dialect=engine)
    assert "K2T804" in codes
    emitted, neutralised = runs(tmp_path, codes, engine)
    assert emitted[1] > 1e-2
    assert max(neutralised) < 2e-6


@pytest.mark.nightly
def test_running_averages_of_keras_224(tmp_path):
    reference = load_file(str(KERAS224))
    try:
        reference.install()
    except reference.NotAvailable as error:
        pytest.skip(str(error))
    old = PARTS["K2T112"].replace("keras.Input((8,)), layers.Dense(8)", OLD_INPUT)
    codes = written(tmp_path, HEAD + old + OLD_MAPS, dialect="keras2")
    assert codes == {"K2T112"}
    emitted, neutralised = runs(tmp_path, codes, str(KERAS224))
    assert min(emitted) > 1e-3
    assert max(neutralised) < 2e-6


OLD_INPUT = "layers.Dense(8, input_shape=(8,))"
OLD_MAPS = """
maps = keras.Sequential([layers.Reshape((2, 2, 2), input_shape=(8,)),
    layers.BatchNormalization(momentum=0.8), layers.Flatten(), layers.Dense(1)])
maps.compile(keras.optimizers.SGD(0.05), "mse")
maps.fit(x, y, epochs=2, batch_size=16, verbose=0, validation_data=(x, y))
"""


def severity(page):
    return re.search(r"^Severity: (\w+)\.", page.read_text(encoding="utf-8"), re.MULTILINE)[1]


@pytest.mark.quick
def test_every_warning_has_a_neutraliser_or_changes_no_number():
    warnings = {p.stem for p in (ROOT / "rules").glob("K2T*.md") if severity(p) == "warning"}
    assert not without(warnings)
    assert {file.stem for file in FOLDER.glob("*.py")} | NUMBERLESS.keys() == warnings


@pytest.mark.quick
def test_codes_without_one_are_told_apart():
    assert without({"K2T406", "K2T900", "K2T801"}) == ("K2T900",)
    assert neutralisers(["K2T900", "K2T406", "K2T406"]) == (FOLDER / "K2T406.py",)
