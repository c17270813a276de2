"""The engine finds nothing in correct ports, and each planted fault by the figure that shows it."""

from pathlib import Path

import pytest

from k2t.verify.result import State
from k2t.verify.run import Setting, run_pair
from tests.conftest import LAUNCH

PAIRS = Path(__file__).parent / "pairs"
LOSSES, FIRST, DRAWS = "step losses", "first ten losses", "initial values"


def run(name, cache, *edits, controls=(1e-7,), draws=5):
    folder = PAIRS / name
    setting = Setting(launch=LAUNCH, draws=draws, cache=cache)
    return run_pair(
        folder / "before.py",
        folder / "after.py",
        setting,
        edits_after=edits,
        controls=controls,
    )


def caught_by(comparison):
    """The stages that differ, without the number of the fit."""
    stages = comparison.verdict.stages
    return {stage.name.split(": ")[-1] for stage in stages if stage.state is State.DIFFERS}


@pytest.mark.parametrize("name", ["mlp", "conv_bn", "bilstm"])
def test_a_correct_port_follows_keras(name, recordings):
    found = run(name, recordings)
    assert found.verdict.passed, found.verdict
    assert len(found.report.fits) == len(found.keras.fits) == {"bilstm": 2}.get(name, 1)
    assert all(fit.steps[0] == fit.steps[1] > 0 for fit in found.report.fits)
    assert found.report.first_ten < 3e-6
    assert found.report.weights < 1e-4
    # the control is a run of its own, and leaves the port
    assert found.control.weights > 0


def test_what_is_recorded(recordings):
    found = run("mlp", recordings)
    (fit,) = found.keras.fits
    assert fit.sizes == ([32] * 8 + [4]) * 3
    assert len(fit.losses) == 27
    assert [sorted(logs) for logs in fit.epochs] == [
        ["accuracy", "loss", "val_accuracy", "val_loss"]
    ] * 3
    assert [output.call for output in found.torch.outputs] == ["evaluate", "predict"]
    assert found.report.variables.keys() >= {"loss", "accuracy", "probabilities", "x_train"}
    # the mean of the steps' losses, weighted by batch size, is what Keras reports
    for epoch, logs in enumerate(fit.epochs):
        steps = slice(9 * epoch, 9 * epoch + 9)
        mean = sum(a * n for a, n in zip(fit.losses[steps], fit.sizes[steps], strict=True)) / 260
        assert logs["loss"] == pytest.approx(mean, rel=1e-6)


def test_a_model_evaluated_before_fit_starts_from_the_same_weights(recordings):
    found = run("bilstm", recordings)
    assert found.keras.starts[0][0] == "evaluate"
    assert found.report.outputs[0].difference < 1e-5


FAULTS = {
    "double softmax": (
        "mlp",
        ("return self.layers(x)  #", "return self.layers(x).softmax(1)  #"),
        {FIRST, LOSSES, "epoch loss", "epoch val_loss"},
        {DRAWS},
    ),
    "macro accuracy": (
        "mlp",
        ("num_classes=3)", 'num_classes=3, average="macro")'),
        {"epoch accuracy", "epoch val_accuracy"},
        {FIRST, LOSSES, "epoch loss", DRAWS},
    ),
    "torch's default initial values": (
        "mlp",
        ("        self.apply(init_weights)\n", ""),
        {DRAWS},
        {FIRST, LOSSES, "epoch loss", "epoch accuracy"},
    ),
    "momentum of BatchNorm not inverted": (
        "conv_bn",
        ("momentum=0.2", "momentum=0.8"),
        {"epoch val_loss"},
        {FIRST, LOSSES, "epoch loss", DRAWS},
    ),
    "Flatten in torch's order": (
        "conv_bn",
        ("x.permute(0, 2, 3, 1).flatten(1)", "x.flatten(1)"),
        {FIRST, LOSSES, "epoch loss", "epoch val_loss"},
        {DRAWS},
    ),
    "Adam's epsilon": (
        "mlp",
        ('["eps"] = 1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5', '["eps"] = 1e-8'),
        {"final weights"},
        {LOSSES, "epoch loss", DRAWS},
    ),
    "centred padding": (
        "conv_bn",
        ("nn.ZeroPad2d((0, 1, 0, 1)),", "nn.ZeroPad2d((1, 0, 1, 0)),"),
        {FIRST, LOSSES, "epoch loss", "epoch val_loss"},
        {DRAWS},
    ),
    "second bias of the LSTM trained": (
        "bilstm",
        ("p.requires_grad_(False)", "p.requires_grad_(True)"),
        {FIRST},
        {DRAWS},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault, recordings):
    name, edit, caught, silent = FAULTS[fault]
    found = run(name, recordings, edit)
    assert caught <= caught_by(found), found.verdict
    assert not silent & caught_by(found), found.verdict
