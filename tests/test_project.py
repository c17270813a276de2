"""Scripts that import layers and models from other files: migrated together, file by file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from k2t.__main__ import main

BLOCKS = '''\
"""Parts of networks."""

from __future__ import annotations

from tensorflow.keras import layers

# how far maps are squeezed
STRIDE = 2


def conv_bn(x, filters, strides=1):
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x)


class Scale(layers.Layer):
    """Each channel by a factor of its own."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight(name="gain", shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return self.factor * self.gain * x


class Mixed(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.attend = layers.AdditiveAttention()
        self.out = layers.Dense(units)

    def call(self, x):
        return self.out(self.attend([x, x]))
'''
MODEL = """\
from tensorflow import keras
from tensorflow.keras import layers

from parts.blocks import (
    STRIDE,
    Mixed,
    Scale,
    conv_bn,
)


def build_model(classes):
    inputs = keras.Input((12, 12, 3))
    x = conv_bn(inputs, 8)
    x = conv_bn(x, 16, strides=STRIDE)
    x = layers.Reshape((36, 16))(x)
    x = Mixed(8)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = Scale()(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


if __name__ == "__main__":
    build_model(3).summary()
"""
TRAIN = """\
import numpy as np
from model import build_model
from utils import scaled

rng = np.random.default_rng(0)
x = scaled(rng.random((96, 12, 12, 3)).astype("float32"))
y = rng.integers(0, 3, 96)
model = build_model(3)
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=3, batch_size=16)
"""
UTILS = "def scaled(x):\n    return x - 0.5\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "blocks.py").write_text(BLOCKS)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "utils.py").write_text(UTILS)
    return tmp_path


def defined(path: Path) -> set[str]:
    return {getattr(node, "name", "") for node in ast.parse(path.read_text()).body} - {""}


@pytest.mark.quick
def test_each_file_keeps_what_is_in_it(project, capsys):
    main(["migrate", str(project)])
    assert "3 files migrated" in capsys.readouterr().err
    blocks, model = project / "parts" / "blocks_lightning.py", project / "model_lightning.py"
    assert {"ConvBn", "Scale", "Mixed", "AdditiveAttention"} <= defined(blocks)
    assert defined(model) >= {"Model"}
    assert not defined(model) & defined(blocks)
    text = blocks.read_text()
    assert text.startswith('"""Parts of networks."""\n\nfrom __future__ import annotations\n')
    assert "# how far maps are squeezed\nSTRIDE = 2\n" in text
    assert "from parts.blocks_lightning import " in model.read_text()
    train = (project / "train_lightning.py").read_text()
    assert "from model_lightning import Model" in train
    assert "from utils import scaled\n" in train
    for path in project.rglob("*_lightning.py"):
        imported = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)
        ]
        modules = [str(node.module) for node in imported]
        assert len(modules) == len(set(modules))
        assert not [module for module in modules if module.startswith(("keras", "tensorflow"))]


@pytest.mark.quick
def test_in_place_the_files_keep_their_names(project):
    main(["migrate", "--in-place", str(project)])
    assert "from model import Model" in (project / "train.py").read_text()
    assert "from parts.blocks import " in (project / "model.py").read_text()
    assert not list(project.rglob("*_lightning.py"))
    assert (project / "utils.py").read_text() == UTILS


@pytest.mark.quick
def test_into_a_folder(project, tmp_path):
    main(["migrate", str(project), "-o", str(tmp_path / "out")])
    assert (tmp_path / "out" / "parts" / "blocks_lightning.py").exists()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("train.py", "from model import build_model", "import keras\nimport model", "not followed"),
        (
            "train.py",
            "from model import build_model",
            "from model import build_model as made",
            "under another name",
        ),
        ("utils.py", "def scaled", "STRIDE = 3\nimport keras\ndef scaled", "is another thing in"),
        ("parts/__init__.py", "", "from .blocks import Scale\n", "--in-place"),
    ],
)
def test_what_cannot_be_read_as_one_is_refused(project, capsys, name, old, new, reason):
    path = project / name
    path.write_text(path.read_text().replace(old, new, 1))
    assert main(["migrate", str(project)]) == 1
    assert reason in capsys.readouterr().out


@pytest.mark.quick
def test_a_file_that_is_not_given_is_named(project, capsys):
    assert main(["migrate", str(project / "model.py")]) == 1
    out = capsys.readouterr().out
    assert "model.py:4:1: K2T907 error" in out
    assert "blocks.py holds Keras code and is not followed; give it, too" in out


@pytest.mark.quick
def test_a_finding_is_at_its_place_in_its_file(project, capsys):
    path = project / "parts" / "blocks.py"
    path.write_text(BLOCKS.replace("strides=strides,", "strides=strides, depth=3,"))
    assert main(["migrate", str(project)]) == 1
    assert f"{path}:12:58: K2T100 error: Conv2D(depth=...)" in capsys.readouterr().out


@pytest.mark.quick
def test_a_checkout_of_keras_beside_a_script_is_no_part_of_its_project(tmp_path, capsys):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("import tensorflow")
    (tmp_path / "examples").mkdir()
    script = tmp_path / "examples" / "train.py"
    script.write_text(
        "import numpy as np\nfrom keras import layers\nfrom keras.models import Sequential\n"
        "model = Sequential([layers.Input((4,)), layers.Dense(1)])\n"
        "model.compile('sgd', 'mse')\nmodel.fit(np.zeros((8, 4), 'float32'), np.zeros((8, 1)))\n"
    )
    assert main(["migrate", str(script)]) == 0
    assert "K2T907" not in capsys.readouterr().out


def test_the_project_follows_keras(project):
    command = [sys.executable, "-m", "k2t", "verify", "train.py", "--steps", "18"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "follows Keras" in done.stdout
