"""`k2t verify` as people call it: exit status, sentences, reports, and what it leaves alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from k2t.cli import main

KERAS = """\
import numpy as np
from keras import Input, Sequential, layers

rng = np.random.default_rng(0)
x = rng.normal(size=(96, 6, 6, 2)).astype("float32")
y = rng.integers(0, 4, size=96)

model = Sequential(
    [
        Input((6, 6, 2)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
    ]
)
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, epochs=4)
"""
MODULE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)
        self.dense = nn.Linear(64, 4)
        for layer in (self.conv, self.dense):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = torch.relu(self.conv(x)).permute(0, 2, 3, 1)
        return self.dense(x.flatten(1))
"""
HAND = ("--loss", "CrossEntropyLoss()", "--optimizer", "SGD(lr=0.01)", "--channels-first")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(folder, text=KERAS, name="train.py"):
    (folder / name).write_text(text)
    return name


def test_agreement_and_the_reports(folder, capsys):
    before = sorted([script(folder)])
    assert main(["verify", "train.py", "--steps", "7", "--json", "r.json", "--html", "r.html"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("verdict: follows Keras\n")
    assert sorted(os.listdir()) == sorted([*before, "r.html", "r.json"])
    report = json.loads(Path("r.json").read_text())
    assert report["agrees"] is True
    (run,) = report["runs"]
    assert len(run["curves"][0]["keras"]) == 7
    stages = {stage["name"]: stage for stage in run["stages"]}
    expected = (
        "parameters", "layer by layer", "forward", "loss of the first step", "gradients",
        "weights after 1 step", "first ten losses", "running loss", "running accuracy",
        "epoch loss", "final weights", "initial values",
    )  # fmt: skip
    for name in expected:
        assert stages[name]["state"] == "agrees", name
    assert 0 < stages["final weights"]["figure"] < 1e-6
    assert Path("r.html").read_text().startswith("<!DOCTYPE html>")


def test_a_script_of_the_old_package_runs_with_the_formulas_of_its_port(folder, capsys):
    """Up to TensorFlow 2.10 epsilon of RMSprop stood outside of the root."""
    text = """\
import numpy as np
from keras.models import Sequential
from keras.layers import Dense
from keras.optimizers import RMSprop

x = np.random.RandomState(0).normal(size=(96, 8)).astype("float32")
y = 1e-3 * x[:, :1]
model = Sequential()
model.add(Dense(8, input_shape=(8,), activation="tanh"))
model.add(Dense(1))
model.compile(RMSprop(), "mse")
model.fit(x, y, batch_size=16, epochs=2)
"""
    script(folder, text)
    assert main(["verify", "train.py", "--dialect", "keras2"]) == 0
    assert capsys.readouterr().out.endswith("verdict: follows Keras\n")


def test_divergence_names_layer_size_and_cause(folder, capsys):
    script(folder)
    script(folder, MODULE.replace(".permute(0, 2, 3, 1)", ""), "hand.py")
    assert main(["verify", "train.py", "hand.py:Net", *HAND, "--steps", "4"]) == 1
    out = capsys.readouterr().out
    assert "first divergence: input of dense, before the first step" in out
    assert "between: Flatten" in " ".join(out.split())
    assert "k2t explain K2T856" in out
    assert out.endswith("verdict: parts from Keras\n")


def test_a_plain_module_by_hand(folder, capsys):
    script(folder)
    script(folder, MODULE, "hand.py")
    assert main(["verify", "train.py", "hand.py:Net", *HAND, "--steps", "4"]) == 0
    assert "the port gives logits" in capsys.readouterr().out


def test_another_architecture_is_the_first_stage(folder, capsys):
    script(folder)
    script(folder, MODULE.replace("Linear(64, 4)", "Linear(64, 5)"), "hand.py")
    assert main(["verify", "train.py", "hand.py:Net", *HAND]) == 1
    out = capsys.readouterr().out
    assert "first divergence: parameters of dense 0" in out
    assert "do not fit" in out


REFUSALS = {
    "no package": ("import no_such_package\n" + KERAS, [], "needs the package no_such_package"),
    "no file": (KERAS + 'np.load("numbers.npy")\n', [], "needs the file 'numbers.npy'"),
    "no fit": (KERAS.split("model.fit")[0], [], "never calls fit or train_on_batch"),
    "no Keras": ("print(1)\n", [], "does not train with Keras"),
    "NaN": (KERAS.replace("normal(", "normal(scale=1e30, "), [], "is nan from step "),
    "an error": (
        KERAS.replace("epochs=4", "epochs=1 // 0"),
        [],
        "train.py), line 17, does not run",
    ),
    "not Python": ("import keras\nx = = 1\n", [], "train.py:2:5: "),
    "too slow": ("import time, keras\ntime.sleep(60)\n" + KERAS, ["--timeout", "1"], "--timeout"),
    "arguments": (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--n', "
        "required=True)\nn = parser.parse_args().n\n" + KERAS,
        [],
        "needs arguments (--n)",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_verified_is_said_in_one_sentence(case, folder, capsys):
    text, options, sentence = REFUSALS[case]
    script(folder, text)
    assert main(["verify", "train.py", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert len(captured.err.splitlines()) == 1


def test_what_k2t_leaves_to_the_user_is_not_verified(folder, capsys):
    text = KERAS.replace("epochs=4", "epochs=4, callbacks=[object()]")
    script(folder, text)
    assert main(["verify", "train.py"]) == 2
    assert "places to you, beginning with K2T" in capsys.readouterr().err


def test_nothing_of_the_users_is_written(folder, capsys):
    (folder / "data").mkdir()
    (folder / "data" / "numbers.csv").write_text("1,2\n3,4\n")
    (folder / "kept.txt").write_text("as it was")
    text = KERAS + (
        'np.loadtxt("data/numbers.csv", delimiter=",")\n'
        'open("kept.txt", "a").write("more")\n'
        'open("new.txt", "w").write("more")\n'
    )
    script(folder, text)
    assert main(["verify", "train.py", "--steps", "2"]) == 0
    assert sorted(os.listdir()) == ["data", "kept.txt", "train.py"]
    assert Path("kept.txt").read_text() == "as it was"
    script(folder, KERAS + f'open({str(folder / "kept.txt")!r}, "w")\n')
    assert main(["verify", "train.py", "--steps", "2"]) == 2
    assert "k2t verify writes nothing of yours" in capsys.readouterr().err
    assert Path("kept.txt").read_text() == "as it was"


def test_arguments_reach_both_scripts(folder, capsys):
    text = (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--rate', type=float, required=True)\n"
        "rate = parser.parse_args().rate\n" + KERAS
    )
    text = text.replace('"sgd"', "keras.optimizers.SGD(rate)").replace(
        "import numpy", "import keras\nimport numpy"
    )
    script(folder, text)
    assert main(["verify", "train.py", "--steps", "2", "--arguments", "--rate 0.5"]) == 0


def test_no_more_epochs_and_batches_than_asked_for(folder, capsys):
    script(folder, KERAS + "model.evaluate(x, y, batch_size=8)\n")
    options = ["--steps", "5", "--epochs", "1", "--json", "r.json"]
    assert main(["verify", "train.py", *options]) == 0
    (run,) = json.loads(Path("r.json").read_text())["runs"]
    assert len(run["curves"][0]["keras"]) == len(run["curves"][0]["torch"]) == 3
    assert "evaluate" in {stage["name"] for stage in run["stages"]}


@pytest.mark.parametrize("package", ["numpy", "rich"])
def test_without_the_extra(package, folder):
    script(folder)
    code = (
        f"from k2t.verify.probes.blocker import block; block({package!r})\n"
        "from k2t.cli import main; raise SystemExit(main(['verify', 'train.py']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"k2t: verify needs {package}: pip install 'k2t[verify]'\n"


@pytest.mark.parametrize("options", [["--steps", "0"], ["--steps", "x"], ["--data", "none"], []])
def test_bad_usage(options, folder):
    with pytest.raises(SystemExit) as error:
        main(["verify", *options])
    assert error.value.code == 2
