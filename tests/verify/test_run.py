"""What the engine says when a run is not as it should be, and the other versions of Keras."""

from pathlib import Path

import pytest

from k2t.verify.failures import reason
from k2t.verify.probes.child import load_file
from k2t.verify.recording import Recording
from k2t.verify.run import ProbeFailed, Setting, at_a_time, record_keras, record_torch, run_pair
from tests.conftest import LAUNCH

keras224 = load_file(str(Path(__file__).parents[1] / "reference" / "keras224.py"))
PAIRS = Path(__file__).parent / "pairs"
MLP = PAIRS / "mlp"


@pytest.mark.parametrize("name", ["mlp", "bilstm"])
def test_the_last_keras_2(name, recordings):
    folder = PAIRS / name
    setting = Setting(launch=LAUNCH, engine="tf_keras", draws=5, cache=recordings)
    found = run_pair(folder / "before.py", folder / "after.py", setting, controls=())
    assert found.verdict.passed, found.verdict
    assert found.report.first_ten < 3e-6


def test_an_engine_of_another_module(recordings):
    try:
        keras224.install()
    except keras224.NotAvailable as error:
        pytest.skip(str(error))
    found = run_pair(
        MLP / "before.py",
        MLP / "after.py",
        Setting(launch=LAUNCH, engine=keras224.__file__, draws=5, cache=recordings),
        edits_before=[
            ("keras.utils.set_random_seed(1)\n", ""),
            ("layers.Dense(24,", "layers.Dense(24, input_shape=(8,),"),
        ],
        edits_after=[("{prefix}accuracy", "{prefix}acc")],  # the name of 2018
        controls=(),
    )
    assert found.verdict.passed, found.verdict
    assert found.report.fits[0].metrics.keys() == {"acc", "loss", "val_acc", "val_loss"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            ("nn.Linear(8, 24)", "nn.Linear(8, 25)"),
            "dense 0: dense {'kernel': (8, 24), 'bias': (24,)} and layers.0 "
            "{'kernel': (8, 25), 'bias': (25,)} do not fit",
        ),
        (
            ("nn.Dropout(0.5)", "nn.PReLU()"),
            "prelu 0: layers.2 {'alpha': (1,)} has no partner in Keras",
        ),
        (
            ("            nn.Linear(24, 3),\n", ""),
            "dense 1: dense_1 {'kernel': (24, 3), 'bias': (3,)} has no partner in Lightning",
        ),
    ],
)
def test_layers_that_do_not_fit_are_named(edit, message, recordings):
    keras = record_keras(MLP / "before.py", Setting(launch=LAUNCH, draws=5, cache=recordings))
    with pytest.raises(ProbeFailed) as failure:
        record_torch(MLP / "after.py", Setting(launch=LAUNCH, edits=(edit,)), weights_from=keras)
    assert message in str(failure.value)


@pytest.mark.parametrize("module", ["keras", "tensorflow", "tf_keras.layers"])
def test_a_port_cannot_import_keras(module, tmp_path):
    script = tmp_path / "after.py"
    script.write_text(f"import {module}\n")
    with pytest.raises(ProbeFailed, match=f"No module named '{module.split('.')[0]}'"):
        record_torch(script, weights_from=None)


def test_a_port_sees_no_keras_when_it_asks(tmp_path):
    script = tmp_path / "after.py"
    script.write_text("import importlib.util as u\nfound = u.find_spec('keras') is not None\n")
    assert not record_torch(script, weights_from=None).variables["found"]


def test_a_script_that_hangs_is_ended(tmp_path):
    script = tmp_path / "after.py"
    script.write_text("import time\ntime.sleep(600)\n")
    with pytest.raises(ProbeFailed, match="longer than 15 s"):
        record_torch(script, Setting(timeout=15), weights_from=None)


def test_an_edit_that_changes_nothing_is_an_error():
    with pytest.raises(ValueError, match="60000"):
        run_pair(MLP / "before.py", MLP / "after.py", Setting(edits=(("60000", "256"),)))


def test_a_child_that_is_killed_has_run_out_of_memory(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal\n\nprint('a warning')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with pytest.raises(ProbeFailed) as error:
        record_torch(script, Setting(launch=LAUNCH), weights_from=None)
    assert reason(error.value) == "the port (script.py) was killed: it ran out of memory"


def test_children_that_may_not_fit_together_run_one_by_one():
    assert at_a_time(Recording(memory=1 << 20)) == 2
    assert at_a_time(Recording(memory=1 << 45)) == 1
