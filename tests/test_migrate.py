"""What a migration promises about the text: the user's lines, order, layout, repetition."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest

from k2t import table
from k2t.analyse.build import analyse
from k2t.ir.finding import Severity
from k2t.lower.program import lower_program
from k2t.parse.script import parse
from k2t.pipeline import migrate

from .golden import GOLDEN, Case, cases

pytestmark = pytest.mark.quick
CASES = [pytest.param(case, id=case.name) for case in cases()]


def untouched(case: Case) -> list[str]:
    """The lines of the original that no edit, removal or import change touches."""
    script = parse(case.before.read_bytes(), "before.py")
    program = analyse(script, table.load(), case.options.get("dialect"))
    torch, _ = lower_program(program, table.load(), "faithful")
    spans = [e.span for e in torch.edits] + list(torch.removed)
    spans += [i.span for i in program.imports if i.foreign]
    lines = set()
    for span in spans:
        first = program.source.line_of(span.start)
        lines.update(range(first, program.source.line_of(max(span.end - 1, span.start)) + 1))
    text = program.source.text.split("\n")
    return [line for i, line in enumerate(text, 1) if i not in lines and line.strip()]


@pytest.mark.parametrize("case", CASES)
def test_other_lines_stay_byte_for_byte_and_in_order(case: Case) -> None:
    kept = untouched(case)
    assert len(kept) > 5
    imports = [line for line in kept if re.match(r"import |from ", line)]
    after = case.after.read_text(encoding="utf-8").split("\n")
    for line in imports:  # the import block may be sorted anew
        assert line in after
    position = 0
    for line in kept:
        if line in imports:
            continue
        assert line in after[position:], line
        position = after.index(line, position) + 1


@pytest.mark.parametrize("case", CASES)
def test_migrating_again_changes_nothing(case: Case) -> None:
    assert migrate(case.after.read_bytes(), "after.py").text is None


@pytest.mark.parametrize("case", CASES)
def test_no_name_of_keras_survives(case: Case) -> None:
    tree = ast.parse(case.after.read_text(encoding="utf-8"))
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not names & {"keras", "tf", "tensorflow", "K", "layers_keras"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in ("keras", "tensorflow", "tf_keras")


def test_output_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "import sys; from k2t.pipeline import migrate\n"
        "for p in sys.argv[1:]:\n"
        "    sys.stdout.write(migrate(open(p, 'rb').read(), p).text)\n"
    )
    paths = [str(GOLDEN / name / "before.py") for name in ("forum_cnn", "layer_zoo", "text_cnn")]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, *paths],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(GOLDEN.parent)},
        ).stdout
        for seed in ("0", "1", "4321")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("length", [79, 88, 120])
def test_generated_lines_keep_the_line_length(length: int) -> None:
    data = (GOLDEN / "forum_cnn" / "before.py").read_bytes()
    text = migrate(data, "before.py", line_length=length).text
    assert text is not None
    original = set(data.decode().split("\n"))
    long = [line for line in text.split("\n") if len(line) > length and line not in original]
    # black does not break strings and comments, nor do we
    assert all('"""' in line or "#" in line for line in long)


SCRIPT = """\
import keras
import numpy as np
x = np.zeros((64, 4), dtype="float32")
y = np.zeros(64)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1{extra})])
model.compile("sgd", "mse"{compiled})
model.fit(x, y{fit})
"""


@pytest.mark.parametrize(
    ("place", "text", "word"),
    [
        ("extra", ", kernel_constraint='no_such'", "constraint"),
        ("extra", ", activity_regularizer='no_such'", "regularizer"),
        ("extra", ", trainable=np.random.rand() > 0.5", "trainable"),
        ("extra", ", no_such_argument=3", "no_such_argument"),
        ("compiled", ", loss_weights=[0.5]", "loss_weights"),
        ("compiled", ", metrics=[lambda a, b: len(a)]", "metric"),
        ("fit", ", steps_per_epoch=3", "steps_per_epoch"),
        ("fit", ", callbacks=[keras.callbacks.RemoteMonitor()]", "callbacks"),
        ("fit", ", shuffle='batch'", "shuffle"),
    ],
)
def test_what_is_not_carried_is_an_error_at_its_place(place: str, text: str, word: str) -> None:
    parts = {"extra": "", "compiled": "", "fit": "", place: text}
    script = SCRIPT.format(**parts)
    migration = migrate(script.encode(), "script.py")
    errors = [f for f in migration.findings if f.severity is Severity.ERROR]
    assert any(word in f.message for f in errors)
    lines = {migration.source.line_of(f.span.start) for f in errors}
    assert any(text.strip(", ")[:8] in script.split("\n")[line - 1] for line in lines)
    assert migration.text is not None
    assert "raise NotImplementedError(" in migration.text
    ast.parse(migration.text)


def test_names_of_the_script_that_we_use_too() -> None:
    script = SCRIPT.format(extra="", compiled="", fit="").replace("x =", "F = L = 4\nx =")
    text = migrate(script.encode(), "script.py").text
    assert text is not None
    assert "functional.mse_loss" in text
    assert "lightning.Trainer" in text
    own = script.replace("x =", "def init_weights(m): ...\nx =", 1)
    migration = migrate(own.encode(), "script.py")
    assert [f.code for f in migration.findings if f.severity is Severity.ERROR] == ["K2T996"]
    assert migration.text == own


def test_a_class_does_not_take_the_names_of_torch_and_lightning() -> None:
    """``f`` gives no class F, which torch's functions go by, and ``l`` no class L."""
    text, errors = migrated("""
import keras
import numpy as np
from keras import layers

def f(x, units):
    for _ in range(2):
        x = layers.Dense(units, activation="relu")(x)
    return x

inputs = keras.Input((4,))
l = keras.Model(inputs, layers.Dense(1)(f(inputs, 8)))
l.compile("sgd", "mse")
l.fit(np.zeros((8, 4), "float32"), np.zeros((8, 1), "float32"))
""")
    made = {node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    assert made == {"F2", "Model"}
    assert not errors


def test_a_condition_about_keras_keeps_its_branch() -> None:
    script = (
        "from keras import backend as K\n"
        "if K.image_data_format() == 'channels_first':\n"
        "    shape = (1, 28, 28)\n"
        "else:\n"
        "    # the usual one\n"
        "    shape = (28, 28, 1)\n"
        "print(shape)\n"
    )
    text = migrate(script.encode(), "script.py").text
    assert text is not None
    assert text.strip().endswith("# the usual one\nshape = (28, 28, 1)\nprint(shape)")


def migrated(script: str) -> tuple[str, list[str]]:
    """The migrated text and the codes of its warnings and errors."""
    migration = migrate(script.encode(), "script.py")
    assert migration.text is not None
    ast.parse(migration.text)
    codes = [f.code for f in migration.findings if f.severity is not Severity.INFO]
    return migration.text, codes


HEAD = """\
import keras
import numpy as np
from keras import layers
x = np.zeros((64, 8), dtype="float32")
y = np.zeros((64, 1), dtype="float32")
"""


def test_models_made_in_a_loop_get_its_variable() -> None:
    text, codes = migrated(
        HEAD
        + """\
for rate in [0.1, 0.01]:
    model = keras.Sequential([layers.Dense(4), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    model.fit(x, y)
"""
    )
    assert codes == []
    assert "def __init__(self, rate):" in text
    assert "torch.optim.SGD(self.parameters(), lr=self.rate)" in text
    assert "    model = Model(rate)\n" in text


def test_models_of_one_loop_with_other_losses_are_refused() -> None:
    text, codes = migrated(
        HEAD
        + """\
for loss in ["mse", "mae"]:
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", loss)
    model.fit(x, y)
"""
    )
    assert "K2T306" in codes
    assert "raise NotImplementedError(" in text


def test_initializers_that_change_from_round_to_round_are_refused() -> None:
    _, codes = migrated(
        HEAD
        + """\
model = keras.Sequential([keras.Input((8,))])
for start in ["he_normal", "glorot_normal"]:
    model.add(layers.Dense(8, kernel_initializer=start))
model.compile("sgd", "mse")
model.fit(x, y)
"""
    )
    assert "K2T201" in codes


def test_a_second_fit_goes_on_with_the_optimizer() -> None:
    twice = """\
model = keras.Sequential([layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.1, decay=0.01), "mse")
model.fit(x, y)
model.fit(x, y, epochs=3)
"""
    text = migrate((HEAD + twice).encode(), "script.py", dialect="tf_keras").text or ""
    assert 'if not hasattr(self, "optimizer"):' in text
    assert "self.decay = LambdaLR(self.optimizer, lambda step: 1 / (1 + 0.01 * step))" in text
    assert 'return [self.optimizer], [{"scheduler": self.decay, "interval": "step"}]' in text


def test_statements_that_share_a_line() -> None:
    text, codes = migrated(
        HEAD
        + """\
a = keras.Input((8,)); b = layers.Dense(1)(a); print("built")
model = keras.Model(a, b); model.compile("sgd", "mse")
if len(x) > 3: model.fit(x, y)
"""
    )
    assert codes == []
    assert 'print("built")' in text
    assert "if len(x) > 3:\n    trainer = L.Trainer(" in text


def test_a_model_that_ends_in_softmax_trains_on_its_logits_whatever_the_loss() -> None:
    text, _ = migrated(
        HEAD
        + """\
model = keras.Sequential([layers.Dense(4, activation="softmax")])
model.compile("sgd", "binary_crossentropy")
model.fit(x, np.zeros((64, 4), dtype="float32"))
probabilities = model.predict(x)
"""
    )
    assert "F.binary_cross_entropy_with_logits(logits, y)" in text
    assert "return self(batch[0]).softmax(1)" in text


@pytest.mark.parametrize("fidelity", ["plain", "exact"])
@pytest.mark.parametrize("case", CASES)
def test_every_fidelity_gives_a_whole_script(case: Case, fidelity: str) -> None:
    migration = case.migrate(fidelity)
    assert migration.text is not None
    ast.parse(migration.text)
    assert not [f for f in migration.findings if f.severity is Severity.ERROR]
    if fidelity == "plain":
        assert '["eps"] = ' not in migration.text  # Adam's hook
        assert "class RMSprop(" not in migration.text


def test_fit_whose_history_a_function_returns() -> None:
    text, codes = migrated(
        HEAD
        + """\
def train(model, epochs):
    model.compile("sgd", "mse")
    return model.fit(x, y, epochs=epochs, validation_split=0.25)

history = train(keras.Sequential([layers.Dense(1)]), 3)
print(history.history["val_loss"])
"""
    )
    assert codes == []
    assert "    history_ = History()\n" in text
    assert "    return history_\n" in text


def test_a_condition_that_is_not_known_stays_in_the_class() -> None:
    text, codes = migrated(
        "from mine import deep\n"
        + HEAD
        + """\
model = keras.Sequential([keras.Input((8,)), layers.Dense(4)])
if deep:
    model.add(layers.Dense(1))
model.compile("sgd", "mse")
model.fit(x, y)
"""
    )
    assert codes == []
    assert "        if deep:\n            layers.append(nn.Linear(4, 1))\n" in text


def test_a_class_that_is_left_stops_the_script_once() -> None:
    text, codes = migrated(
        HEAD
        + """\
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4)
        self.second = layers.Dense(1)

    def call(self, x):
        return self.second(self.first(x))
"""
    )
    assert codes == ["K2T160"]
    assert text.count("raise NotImplementedError(") == 1


def test_layers_of_a_model_that_is_left_keep_their_keras_arguments() -> None:
    text, codes = migrated(
        HEAD
        + """\
class Twice(layers.Layer):
    def call(self, x):
        return 2 * x

model = keras.Sequential()
model.add(Twice())
model.add(layers.Dropout(rate=0.5))
"""
    )
    assert "nn.Dropout" not in text
    assert codes == ["K2T160", "K2T903"]
