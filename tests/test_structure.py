"""Functions, loops and conditions of functional models: kept, followed by edits, proved."""

from __future__ import annotations

import ast
import re

import pytest

from k2t import table
from k2t.ir.torch import ModuleClass, Proof
from k2t.ir.values import Const
from k2t.pipeline import Migration, migrate
from k2t.prove.prove import disproved
from k2t.prove.replay import Replay
from k2t.prove.terms import Comparison

from .golden import Case, cases
from .structure import measure

pytestmark = pytest.mark.quick

FUNCTIONAL = [pytest.param(c, id=c.name) for c in cases() if c.name.startswith("functional_")]
EDITS = {
    "functional_operations": ("depth=2, heads=2, width=8", "depth=3, heads=3, width=4"),
    "functional_excitation": ("widths=(8, 16, 16)", "widths=(4, 8, 12, 16)"),
    "functional_resnet": ("N = 1 ", "N = 3 "),
    "functional_unet": ("FILTERS = [8, 16]", "FILTERS = [4, 8, 16]"),
    "functional_inception": ("WIDTHS = [4, 8]", "WIDTHS = [8, 4, 4]"),
    "functional_shortcut": ("widths = [16, 16, 24]", "widths = [24, 8]"),
    "functional_growth": ("BLOCKS = [2, 2]", "BLOCKS = [3, 1]"),
    "functional_preactivation": ("n = 1\n", "n = 2\n"),
}
HEAD = "import keras\nimport numpy as np\nfrom keras import layers\n\n"
TAIL = """
model = keras.Model(inputs, outputs)
model.compile(optimizer="adam", loss="mse")
x_train = np.ones((64, 8), "float32")
model.fit(x_train, x_train.sum(1))
"""


def of(script: str) -> Migration:
    return migrate(script.encode(), "train.py")


def codes(done: Migration) -> set[str]:
    return {f.code for f in done.findings}


@pytest.mark.parametrize("case", FUNCTIONAL)
def test_structure_is_kept(case: Case) -> None:
    done = case.migrate()
    assert "K2T133" not in codes(done)
    assert (
        len(re.findall(r"^class \w+\(nn\.(Module|Sequential)\)", done.text or "", re.MULTILINE))
        >= 1
    )
    assert measure(case.name, case.before.read_text(encoding="utf-8"), done.text or "").kept


@pytest.mark.parametrize("case", FUNCTIONAL)
def test_an_edited_hyperparameter_needs_no_new_migration(case: Case) -> None:
    """The migrated script, edited, is the migration of the edited script."""
    old, new = EDITS[case.name]
    before = case.before.read_text(encoding="utf-8")
    after = case.migrate().text or ""
    assert before.count(old) == after.count(old) == 1
    edited = migrate(before.replace(old, new).encode(), "before.py")
    assert edited.text == after.replace(old, new)


def test_a_variable_that_changes_on_the_way_is_followed() -> None:
    script = f"""{HEAD}
def build(units):
    inputs = keras.Input((8,))
    x = layers.Dense(units)(inputs)
    units *= 2
    x = layers.Dense(units)(x)
    outputs = layers.Dense(1)(x)
    return keras.Model(inputs, outputs)

model = build(4)
model.compile(optimizer="adam", loss="mse")
x_train = np.ones((64, 8), "float32")
model.fit(x_train, x_train.sum(1))
"""
    text = of(script).text or ""
    first, change, second = (
        text.index(t)
        for t in ("nn.Linear(8, units)", "units *= 2", "nn.Linear(in_features, units)")
    )
    assert first < change < second
    assert "in_features = units" in text[first:change]


@pytest.mark.parametrize(
    "body",
    [
        "shared = layers.Dense(8)\ninputs = keras.Input((8,))\nx = inputs\n"
        "for _ in range(2):\n    x = shared(x)\noutputs = layers.Dense(1)(x)",
        "def f(x, deep):\n    if deep:\n        return layers.Dense(8)(layers.Dense(8)(x))\n"
        "    return layers.Dense(8)(x)\n\n"
        "inputs = keras.Input((8,))\noutputs = layers.Dense(1)(f(inputs, True))",
        "f = lambda x: layers.Dense(4)(x)\n\n"
        "inputs = keras.Input((8,))\noutputs = layers.Dense(1)(f(inputs))",
    ],
    ids=["layer shared by rounds", "several returns", "a lambda"],
)
def test_what_is_not_kept_is_said(body: str) -> None:
    done = of(f"{HEAD}{body}\n{TAIL}")
    assert "K2T133" in codes(done)
    ast.parse(done.text or "")


# ---------------------------------------------------------------------- the proof

KEPT = """
class Block(nn.Module):
    def __init__(self, in_features, units, deep=True):
        super().__init__()
        self.dense1 = nn.Linear(in_features, units)
        self.dense2 = nn.Linear(units, units) if deep else nn.Identity()

    def forward(self, x):
        return F.relu(self.dense2(self.dense1(x)))


class Model(L.LightningModule):
    def __init__(self, n):
        super().__init__()
        blocks = []
        in_features = 8
        for number in range(n):
            blocks.append(Block(in_features, 4 * (number + 1), deep=number > 0))
            in_features = 4 * (number + 1)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)
"""
FLAT = """
class Model(L.LightningModule):
    def __init__(self, n):
        super().__init__()
        self.dense1 = nn.Linear(8, 4)
        self.dense2 = nn.Linear(4, 8)
        self.dense3 = nn.Linear(8, 8)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.dense1(x))
        return self.relu(self.dense3(self.dense2(x)))
"""


def verdict(kept: str, flat: str = FLAT, n: int = 2) -> str | None:
    cls = ModuleClass("Model", (("n",),), (), (), (), False, False, "x", ())
    proof = Proof(0, (cls,), cls, ({"n": Const(n)},), {}, {})
    return disproved(proof, (kept, flat), table.load())


def test_equal_graphs_are_proved() -> None:
    assert verdict(KEPT) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("in_features = 4 * (number + 1)", "in_features = 4 * (number + 2)"),
        ("deep=number > 0", "deep=True"),
        ("self.dense2(self.dense1(x))", "self.dense1(self.dense2(x))"),
        ("F.relu(", "F.gelu("),
        ("return self.blocks(x)", "return self.blocks(self.blocks(x))"),
        ("in_features = 8", "in_features = width"),
        ("        for number", "        self.more = nn.Linear(8, 8)\n        for number"),
        ("return self.blocks(x)", "return x"),
    ],
)
def test_another_graph_is_refused(old: str, new: str) -> None:
    assert old in KEPT
    assert verdict(KEPT.replace(old, new)) is not None


def test_other_values_are_another_graph() -> None:
    assert verdict(KEPT, n=3) is not None


def test_a_shared_layer_is_not_two_layers() -> None:
    shared = FLAT.replace("self.dense3(self.dense2(x))", "self.dense3(self.dense3(x))")
    twice = FLAT.replace("nn.Linear(4, 8)", "nn.Linear(8, 8)")
    assert verdict(shared, twice) is not None


# ---------------------------------------------------------------------- loops in Sequential models


@pytest.mark.parametrize("layer", ["LSTM(8, return_sequences=True)", "Conv1D(8, 3)"])
def test_a_mask_does_not_pass_a_loop_unseen(layer: str) -> None:
    """Keras's LSTMs skip masked steps, a convolution drops the mask."""
    done = of(f"""{HEAD}
model = keras.Sequential([keras.Input((9,)), layers.Embedding(20, 8, mask_zero=True)])
for _ in range(2):
    model.add(layers.{layer})
model.add(layers.LSTM(8))
model.add(layers.Dense(1))
model.compile(optimizer="adam", loss="mse")
x_train = np.ones((64, 9), "int32")
model.fit(x_train, x_train.sum(1))
""")
    text = done.text or ""
    assert "K2T114" in codes(done) if "LSTM" in layer else "pack_padded_sequence" not in text


OLD = """
import numpy as np
from keras.models import Sequential
from keras import layers

RNN = layers.LSTM
x = np.ones((64, 5, 8), "float32")
model = Sequential()
model.add(RNN(4, input_shape=(5, 8)))
model.add(layers.Dense({units}, activation="{activation}"))
model.compile("sgd", "mse")
model.fit(x, np.ones((64, {units})), nb_epoch=1)
found = model.predict_classes(x, verbose=0)
"""


@pytest.mark.parametrize(
    ("units", "activation", "expected"),
    [
        (3, "softmax", "found = torch.cat(trainer.predict(model, make_loader(x))).argmax(-1)"),
        (1, "sigmoid", "found = (torch.cat(trainer.predict(model, make_loader(x))) > 0.5).int()"),
    ],
)
def test_another_name_of_a_layer_goes_with_its_calls(
    units: int, activation: str, expected: str
) -> None:
    done = of(OLD.format(units=units, activation=activation))
    text = done.text or ""
    assert not [f for f in done.findings if f.severity == "error"]
    assert "RNN" not in text.replace("RNN(", "")
    assert expected in text


def test_another_name_that_is_read_stays_and_is_said() -> None:
    done = of(OLD.format(units=1, activation="sigmoid") + "print(RNN)\n")
    assert "K2T135" in codes(done)
    assert not [f for f in done.findings if f.severity == "error"]
    lines = (done.text or "").splitlines()
    assert "RNN = nn.LSTM" in lines
    assert "print(RNN)" in lines


def test_an_input_keeps_its_name_where_a_function_gives_it_another() -> None:
    script = f"""{HEAD}
def residual(x, units):
    shortcut = x
    if x.shape[-1] != units:
        shortcut = layers.Dense(units)(x)
    return layers.add([layers.Dense(units, activation="relu")(x), shortcut])

visible = keras.Input((8,))
hidden = residual(visible, 4)
hidden = residual(hidden, 4)
model = keras.Model(visible, layers.Dense(1)(hidden))
model.compile(optimizer="adam", loss="mse")
x_train = np.ones((64, 8), "float32")
model.fit(x_train, x_train[:, :1])
"""
    done = of(script)
    assert codes(done) == set()
    assert "hidden = self.residual1(visible)" in (done.text or "")


MODEL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding="same")
        self.dense = nn.Linear(3, 3)

    def forward(self, x, y):
        return {}
"""
CONV = "self.conv(x.permute(0, 3, 1, 2))"
LAST = f"{CONV}.permute(0, 2, 3, 1)"


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (f"{LAST}.mean(dim=(1, 2))", f"{CONV}.mean((2, 3))", True),
        (f"{LAST}.mean(dim=(1, 2))", f"{CONV}.mean((1, 3))", False),
        (f"{LAST}.mean(dim=(1, 2))", f"{CONV}.sum((2, 3))", False),
        (f"{LAST}.mean(1, keepdim=True)", f"{CONV}.mean(2, keepdim=True)", False),
        (
            f"{LAST}.mean(1, keepdim=True)",
            f"{CONV}.mean(2, keepdim=True).permute(0, 2, 3, 1)",
            True,
        ),
        (f"{LAST}.sigmoid() * {LAST}", f"({CONV} * {CONV}.sigmoid()).permute(0, 2, 3, 1)", False),
        (f"{LAST}.sigmoid() * {LAST}", f"({CONV}.sigmoid() * {CONV}).permute(0, 2, 3, 1)", True),
        (f"F.relu({LAST})", f"F.relu({CONV}).permute(0, 2, 3, 1)", True),
        (f"F.softmax({LAST}, 1)", f"F.softmax({CONV}, 1).permute(0, 2, 3, 1)", False),
        (f"{LAST} * x", f"({CONV} * x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)", False),
        (f"self.dense({LAST})", f"self.dense({CONV})", False),
        ("x[:, -1]", "x[:, -1]", True),
        ("x[:, -1]", "x[:, 0]", False),
        ("x[..., 1:]", "x[..., :1]", False),
        ("x @ y.mT", "y @ x.mT", False),
        ("x @ y.mT", "x @ y", False),
        ("(x > 0).float()", "(x < 0).float()", False),
        ("x.softmax(dim=1)", "x.softmax(dim=2)", False),
        ("-x", "x", False),
        (f"{LAST}.pow(y)", f"{CONV}.pow(y).permute(0, 2, 3, 1)", False),
        (f"{LAST}.clamp(min=y)", f"{CONV}.clamp(min=y).permute(0, 2, 3, 1)", False),
        (f"{LAST}.pow(2)", f"{CONV}.pow(2).permute(0, 2, 3, 1)", True),
        (f"F.leaky_relu({LAST}, y)", f"F.leaky_relu({CONV}, y).permute(0, 2, 3, 1)", False),
    ],
)
def test_replayed_tensors_are_the_same_where_they_are(one: str, two: str, same: bool) -> None:
    """What the proof may take for the same: axes moved before or after, never other axes."""
    found = [
        Replay(ast.parse(MODEL.format(text)), {}, {}).output("Model", {}) for text in (one, two)
    ]
    assert Comparison().same(*found) is same


def test_what_a_function_hands_on_is_heeded() -> None:
    text = of(
        """\
import keras
from keras import layers


def conv(t, filters, **options):
    return layers.Conv2D(filters, 3, **options)(t)


inputs = keras.Input((12, 12, 3))
model = keras.Model(inputs, conv(conv(inputs, 4, use_bias=False), 8, strides=2))
model.summary()
"""
    )
    assert codes(text) == {"K2T133"}
    assert "nn.Conv2d(3, 4, 3, bias=False)" in (text.text or "")
    assert "nn.Conv2d(4, 8, 3, stride=2)" in (text.text or "")


def test_an_activation_that_is_told_is_no_module_left_over() -> None:
    done = of(
        """\
import keras
from keras import layers


def mlp(t, widths, activation="relu"):
    for width in widths[:-1]:
        t = layers.Dense(width, activation=activation)(t)
    return layers.Dense(widths[-1])(t)


inputs = keras.Input((12,))
both = layers.add([mlp(inputs, [9, 7, 5]), mlp(inputs, (4, 5), activation="tanh")])
model = keras.Model(inputs, both)
model.summary()
"""
    )
    assert codes(done) == set()
    assert "class Mlp(nn.Sequential):" in (done.text or "")
    assert 'Mlp(12, (4, 5), activation="tanh")' in (done.text or "")
