"""rules/dialects.toml: its table is up to date, and each entry is proved."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from k2t import table
from k2t.pipeline import migrate
from k2t.table import Row
from tests import dialects
from tests.reference import signatures

ROOT = Path(__file__).parent.parent
ENTRIES = dialects.entries()
ENGINES = {"tf_keras": "tf_keras", "keras3": "keras"}
STORED: dict[str, dict[str, str]] = json.loads(signatures.STORED.read_text(encoding="utf-8"))


@cache
def child(module: str, engine: str) -> dict[str, str]:
    """What a module of tests/reference prints of an installed Keras."""
    quiet = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.reference.{module}", engine],
        cwd=ROOT, env={**os.environ, **quiet}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.quick
def test_the_document_is_up_to_date() -> None:
    written = dialects.DOCUMENT.read_text(encoding="utf-8")
    assert written == dialects.document(), "run python -m tests.dialects"


@pytest.mark.quick
@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_all_and_has_a_proof_that_is_there(name: str) -> None:
    entry = ENTRIES[name]
    told = {"default"} if "default" in entry else set(dialects.DIALECTS)
    optional = {"ask", "answers", "tells"}
    assert set(entry) - optional == {"topic", "what", "does", "source", "tests", *told}
    assert ("ask" in entry) == ("answers" in entry)
    for proof in entry["tests"]:
        file, _, test = proof.partition("::")
        assert (ROOT / file).exists(), proof
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8") if test else True, proof


@pytest.mark.parametrize("dialect", ENGINES)
def test_keras_answers_as_the_table_says(dialect: str) -> None:
    answers = child("asked", ENGINES[dialect])
    wanted = {name: e["answers"][dialect] for name, e in ENTRIES.items() if "ask" in e}
    assert answers == wanted


# ------------------------------------------------------------------------------- signatures of rows

SECTIONS = ("layers", "optimizers", "callbacks", "initializers", "regularizers", "constraints")
UNSAID = {"name", "dtype", "seed", "ema_overwrite_frequency"}
"""Arguments whose default changes no number (the last: of an average that is refused there)."""
ALIKE = {
    ("data_format", "'channels_last'", "None"),  # nothing else is carried over
    ("alpha_initializer", "'Zeros'", "'zeros'"),
    ("log_dir", "'./logs'", "'logs'"),
    ("epsilon", "None", "1e-07"),
    ("distribution", "'normal'", "'truncated_normal'"),
}


GATED = ("LSTM", "GRU", "LSTMCell", "GRUCell")
SQUARES = ("RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")


def parsed(text: str) -> dict[str, str | None]:
    """The parameters of a signature, with their defaults as Python writes them."""
    arguments = ast.parse(f"def f({text}): ...").body[0].args  # type: ignore[attr-defined]
    names = [a.arg for a in arguments.args]
    defaults = [plain(ast.unparse(d)) for d in arguments.defaults]
    return dict(zip(names, [None] * (len(names) - len(defaults)) + defaults, strict=True))


def plain(text: str) -> str:
    try:
        value = ast.literal_eval(text)
    except ValueError:
        return text
    return spelled(value)


def spelled(value: Any) -> str:
    """Numbers by value, tuples and lists alike, one number for several of it."""
    if isinstance(value, list | tuple):
        inner = {spelled(v) for v in value}
        return inner.pop() if len(inner) == 1 else str([spelled(v) for v in value])
    return repr(float(value)) if isinstance(value, int | float) else repr(value)


def of(version: str) -> dict[str, str]:
    return STORED[version] if version in STORED else child("signatures", version)


def rows_of(version: str) -> list[tuple[str, str, Row]]:
    """(name in Keras, its signature there, the row) for all classes that a row stands for."""
    found = of(version)
    return [
        (path, found[path.removeprefix("keras.")], row)
        for section in SECTIONS
        for row in table.load().section(section).values()
        for path in row.keras
        if path.removeprefix("keras.") in found
    ]


def defaults_that_differ(version: str, dialect: str) -> set[str]:
    differ = set()
    for path, text, row in rows_of(version):
        spellings = row.for_dialect(dialect, "spellings", {}).get(path.rpartition(".")[2], {})
        mine = {p.name: spelled(p.default) for p in row.signature(dialect) if not p.required}
        mine |= {name: spelled(value) for name, value in spellings.items()}
        legacy = row.get("legacy", {})
        for name, default in parsed(text).items():
            name = legacy.get(name, name)
            if default is None or name not in mine or name in UNSAID or mine[name] == default:
                continue
            if (name, default, mine[name]) not in {(n, plain(a), plain(b)) for n, a, b in ALIKE}:
                differ.add(f"{row.name}.{name}")
    return differ


@pytest.mark.parametrize(
    ("version", "dialect", "known"),
    [
        ("keras", "keras3", set()),
        ("tf_keras", "tf_keras", set()),
        ("2.2.4", "keras2", set()),
        # K2T732: 2.3 has sigmoid
        ("2.3.1", "keras2", {f"{row}.recurrent_activation" for row in GATED}),
        # 1e-8 up to 2.1.2, 1e-7 since
        ("2.0.0", "keras2", {f"{row}.epsilon" for row in SQUARES}),
    ],
)
def test_defaults_are_those_of_the_version(version: str, dialect: str, known: set[str]) -> None:
    assert defaults_that_differ(version, dialect) == known


def places_that_differ(version: str, dialect: str) -> set[str]:
    """The first argument of each class that k2t would take for another one by its place."""
    differ = set()
    for _, text, row in rows_of(version):
        order = row.for_dialect(dialect, "positional") or [p.name for p in row.params]
        legacy = row.get("legacy", {})
        theirs = [legacy.get(name, name) for name in parsed(text)]
        for place, (name, own) in enumerate(zip(theirs, order, strict=False)):
            if name != own:
                differ.add(f"{row.name} {place}: {name}, not {own}")
                break
    return differ


@pytest.mark.parametrize(
    ("version", "dialect", "known"),
    [
        # the name of a layer by its place
        ("keras", "keras3", {"SpatialDropout1D 2: name, not data_format"}),
        (
            "tf_keras",
            "tf_keras",
            {
                # of 2.20; the place was amsgrad's
                "Adam 4: adaptive_epsilon, not amsgrad",
                # left out, or refused whatever they say
                "BackupAndRestore 2: delete_checkpoint, not double_checkpoint",
                "ModelCheckpoint 7: options, not initial_value_threshold",
                "MultiHeadAttention 7: kernel_initializer, not sliding_window",
                "RNN 6: time_major, not zero_output_for_mask",
            },
        ),
        (
            "2.2.4",
            "keras2",
            {
                "GRU 1: kernel_initializer, not activation",  # of CuDNNGRU
                "LSTM 1: kernel_initializer, not activation",
                "TensorBoard 2: batch_size, not write_graph",  # which is left out
            },
        ),
    ],
)
def test_places_of_arguments(version: str, dialect: str, known: set[str]) -> None:
    """Up to the eighth, beyond which nobody counts."""
    found = places_that_differ(version, dialect)
    assert {one for one in found if int(one.partition(":")[0].rpartition(" ")[2]) < 8} == known


SCRIPT = """
import keras
import numpy as np
from keras import layers

x = np.random.rand(64, 8).astype("float32")
y = np.random.randint(0, 2, (64, 2)).astype("float32")
model = keras.Sequential([layers.Dense(2, activation="sigmoid", input_shape=(8,){layer})])
model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y{fit})
"""


def migrated(dialect: str | None, text: str) -> tuple[str, set[str]]:
    done = migrate(text.encode(), "train.py", dialect=dialect)
    return done.text or "", {f.code for f in done.findings}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        ("from keras.layers.core import Dense", "keras2"),
        ("from keras.utils import np_utils", "keras2"),
        ("keras.layers.Dense(3)\nmodel.fit_generator(x)", "keras2"),
        ("model.fit(x, nb_epoch=3)", "keras2"),
        ("keras.optimizers.SGD(lr=0.1)", "keras2"),
        ("keras.optimizers.SGD(0.1)", "keras3"),
        ("keras.ops.sum(x)", "keras3"),
        ("from keras import ops", "keras3"),
        ("from keras.optimizers import Adam as A\nA(lr=0.1)", "keras2"),
        ("keras.layers.LSTM(output_dim=3)", "keras2"),
        # what today's scripts say too, or say to others
        ("keras.layers.Embedding(input_dim=10, output_dim=3)", "keras3"),
        ("def train(lr, decay):\n    pass\ntrain(lr=0.1, decay=2)", "keras3"),
        ("ExponentialMovingAverage(decay=0.9)", "keras3"),
        ("frame.to_json('a.json')", "keras3"),
    ],
)
def test_a_script_is_known_by_its_spellings(line: str, dialect: str) -> None:
    from k2t.analyse.dialects import infer

    assert infer(ast.parse(f"import keras\n{line}\n"), table.load()) == dialect
    of_tensorflow = f"from tensorflow import keras\n{line}\n".replace("from keras", "from x")
    if dialect == "keras2":
        assert infer(ast.parse(of_tensorflow), table.load()) == "tf_keras"


@pytest.mark.quick
def test_activity_regularizers_of_keras_2_are_refused() -> None:
    text = SCRIPT.format(layer=", activity_regularizer='l2'", fit="")
    assert "K2T300" in migrated("keras2", text)[1]
    assert "K2T300" not in migrated("tf_keras", text)[1]


@pytest.mark.quick
def test_that_keras_2_clips_probabilities_is_said() -> None:
    text = SCRIPT.format(layer="", fit="")
    assert migrated("keras2", text)[1] == {"K2T302"}
    assert migrated("tf_keras", text)[1] == set()


@pytest.mark.quick
def test_an_accuracy_beside_binary_crossentropy() -> None:
    text = SCRIPT.format(layer="", fit="")
    old, new = migrated("keras2", text)[0], migrated("tf_keras", text)[0]
    assert "argmax" in new or "multiclass" in new
    assert "argmax" not in old
    assert "multiclass" not in old


@pytest.mark.quick
def test_names_of_metrics() -> None:
    text = SCRIPT.format(layer="", fit="") + "print(model.metrics_names)\n"
    assert 'print(["loss", "compile_metrics"])' in migrated("keras3", text)[0]
    assert 'print(["loss", "accuracy"])' in migrated("tf_keras", text)[0]
    assert 'print(["loss", "acc"])' in migrated("keras2", text)[0]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("dialect", "called", "wanted"),
    [
        ("keras2", "layers.Conv2D(4, 3, 1, 'same', None, 1, 'relu')", "nn.ReLU()"),
        ("tf_keras", "layers.Conv2D(4, 3, 1, 'same', None, 1, 2, 'relu')", "groups=2"),
        ("keras3", "layers.Conv2D(4, 3, 1, 'same', None, 1, 2, 'relu')", "groups=2"),
    ],
)
def test_places_of_arguments_in_keras_2(dialect: str, called: str, wanted: str) -> None:
    text = (
        "import keras\nfrom keras import layers\n"
        f"model = keras.Sequential([keras.Input((8, 8, 2)), {called}])\n"
        "model.compile('sgd', 'mse')\n"
    )
    assert wanted in migrated(dialect, text)[0]


@pytest.mark.quick
@pytest.mark.parametrize("dialect", ["keras2", "tf_keras", "keras3"])
def test_functions_of_a_lambda_callback_by_position(dialect: str) -> None:
    """The third is called at batches but in Keras 3, and these are refused."""
    given = ", callbacks=[keras.callbacks.LambdaCallback(None, None, lambda logs: print('begins'))]"
    _, codes = migrated(dialect, SCRIPT.format(layer="", fit=given))
    assert ("K2T706" in codes) == (dialect != "keras3")
