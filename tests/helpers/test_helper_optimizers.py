"""60 steps of the emitted optimizers, and of the plain ones that need no helper, are Keras's."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helper_child import run_keras
from torch import optim

from k2t.render.helpers import optimizers

DECAY = 1e-2

# Keras case, the spelling for it, largest difference relative to the way gone (Adam's 7e-6 is
# Keras 3 rounding the betas to float32 in the bias correction)
KERAS_3 = [
    ("SGD", lambda p: optimizers.SGD(p, 0.05, momentum=0.9), 1e-6),
    ("SGD nesterov", lambda p: optimizers.SGD(p, 0.05, momentum=0.9, nesterov=True), 1e-6),
    ("SGD", lambda p: optimizers.SGDFull(p, 0.05, momentum=0.9), 1e-6),
    ("SGD nesterov", lambda p: optimizers.SGDFull(p, 0.05, momentum=0.9, nesterov=True), 1e-6),
    ("SGD decay", lambda p: optimizers.SGD(p, 0.05, momentum=0.9), 1e-6),
    ("SGD decay nesterov", lambda p: optimizers.SGD(p, 0.05, momentum=0.9, nesterov=True), 1e-6),
    ("RMSprop", lambda p: optimizers.RMSprop(p, 1e-3, alpha=0.9, eps=1e-7), 1e-6),
    ("RMSprop", lambda p: optimizers.RMSpropFull(p, 1e-3, alpha=0.9, eps=1e-7), 1e-6),
    (
        "RMSprop momentum",
        lambda p: optimizers.RMSpropFull(p, 1e-3, alpha=0.9, eps=1e-7, momentum=0.9),
        1e-6,
    ),
    (
        "RMSprop centered",
        lambda p: optimizers.RMSpropFull(p, 1e-3, alpha=0.9, eps=1e-7, momentum=0.9, centered=True),
        5e-6,
    ),
    (
        "Adagrad",
        lambda p: optimizers.Adagrad(p, 0.1, initial_accumulator_value=0.1, eps=1e-7),
        1e-6,
    ),
    ("Adagrad zero", lambda p: optimizers.Adagrad(p, 0.1, eps=1e-7), 1e-6),
    ("Adagrad", lambda p: optim.Adagrad(p, 0.1, initial_accumulator_value=0.1, eps=1e-7), 1e-6),
    ("Adadelta", lambda p: optim.Adadelta(p, 1.0, rho=0.95, eps=1e-7), 1e-6),
    ("Adamax", lambda p: optim.Adamax(p, 1e-3, eps=1e-7), 1e-5),
    ("Adamax", lambda p: optimizers.Adamax(p, 1e-3, eps=1e-7), 2e-6),
    ("Adamax epsilon", lambda p: optimizers.Adamax(p, 0.01, eps=1e-3), 2e-6),
    ("Ftrl", lambda p: optimizers.Ftrl(p, 0.1), 5e-6),
    (
        "Ftrl all",
        lambda p: optimizers.Ftrl(
            p, 0.1, power=-0.7, start=0.2, l1=1e-3, l2=0.2, shrinkage=0.05, beta=0.3
        ),
        5e-6,
    ),
    ("Lamb", lambda p: optimizers.Lamb(p, 0.01), 2e-5),
    ("Adafactor", lambda p: optimizers.Adafactor(p, 0.01), 5e-6),
    ("ScheduleFreeAdamW", lambda p: optimizers.ScheduleFreeAdamW(p), 2e-5),
    (
        "ScheduleFreeAdamW warm",
        lambda p: optimizers.ScheduleFreeAdamW(p, 0.01, warmup_steps=20),
        2e-5,
    ),
    ("Nadam", lambda p: optim.NAdam(p, 1e-3, eps=1e-7, momentum_decay=1.0), 2e-6),
    ("Adam", lambda p: optim.Adam(p, 1e-3, eps=1e-7), 2e-5),
    ("AdamW", lambda p: optim.AdamW(p, 1e-3, eps=1e-7, weight_decay=4e-3), 2e-5),
    ("Adam decay", lambda p: optim.Adam(p, 1e-3, eps=1e-7), 2e-6),
    # tf.keras up to TensorFlow 2.10
    ("RMSprop legacy", lambda p: optim.RMSprop(p, 1e-3, alpha=0.9, eps=1e-7), 2e-5),
    (
        "RMSprop legacy momentum",
        lambda p: optimizers.RMSpropFull(p, 1e-3, alpha=0.9, eps=1e-7, momentum=0.9),
        1e-6,
    ),
    (
        "RMSprop legacy centered",
        lambda p: optim.RMSprop(p, 1e-3, alpha=0.9, eps=1e-7, centered=True),
        2e-5,
    ),
    (
        "Adagrad legacy",
        lambda p: optim.Adagrad(p, 0.1, initial_accumulator_value=0.1, eps=1e-7),
        1e-6,
    ),
    ("Nadam legacy", lambda p: optim.NAdam(p, 1e-3, eps=1e-7), 1e-5),
    ("Lion tf_keras", lambda p: optimizers.Lion(p, 1e-4), 1e-6),
]
KERAS_224 = [
    ("SGD", lambda p: optimizers.SGD(p, 0.05, momentum=0.9), 1e-6),
    ("RMSprop", lambda p: optim.RMSprop(p, 1e-3, alpha=0.9, eps=1e-7), 1e-6),
    ("Adagrad", lambda p: optim.Adagrad(p, 0.01, eps=1e-7), 1e-6),
    ("Adadelta", lambda p: optim.Adadelta(p, 1.0, rho=0.95, eps=1e-7), 1e-6),
    ("Adam", lambda p: optim.Adam(p, 1e-3, eps=1e-7), 2e-6),
    ("Adamax", lambda p: optim.Adamax(p, 2e-3, eps=1e-7), 1e-5),
    ("Nadam", lambda p: optim.NAdam(p, 2e-3, eps=1e-7), 2e-6),
]
# what the helpers are for: the plain optimizer is off by at least this somewhere
PLAIN = [
    ("SGD", lambda p: optim.SGD(p, 0.05, momentum=0.9), 0.1),
    ("SGD decay", lambda p: optim.SGD(p, 0.05, momentum=0.9), 0.01),
    ("RMSprop", lambda p: optim.RMSprop(p, 1e-3, alpha=0.9, eps=1e-7), 0.1),
    ("RMSprop legacy", lambda p: optimizers.RMSprop(p, 1e-3, alpha=0.9, eps=1e-7), 0.1),
    ("Nadam legacy", lambda p: optim.NAdam(p, 1e-3, eps=1e-7, momentum_decay=1.0), 1e-3),
    ("Adagrad zero", lambda p: optim.Adagrad(p, 0.1, eps=1e-7), 0.1),
    ("Adamax epsilon", lambda p: optim.Adamax(p, 0.01, eps=1e-3), 0.01),
]


@pytest.fixture(scope="module")
def gradients():
    rng = np.random.default_rng(0)
    spread = np.exp(rng.normal(size=100))
    return (rng.normal(size=(60, 100)) * spread + 0.3).astype("float32")


@pytest.fixture(scope="module")
def keras(tmp_path_factory, gradients):
    folder = tmp_path_factory.mktemp("keras")
    np.save(folder / "g.npy", gradients)
    return run_keras("keras_optimizers.py", folder / "g.npy", out=folder / "keras.npz")


def path(optimizer, p, gradients, drop=False, decay=False):
    """The weights after each step, with the hook that every emitted Adam has."""
    schedule = None
    if decay:
        # per batch: {"scheduler": LambdaLR(optimizer, ...), "interval": "step"} in Lightning
        schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + DECAY * step))
    (group,) = optimizer.param_groups
    steps = []
    for i, gradient in enumerate(gradients):
        if drop and i == 30:
            group["lr"] /= 10
            if schedule is not None:
                schedule.base_lrs = [lr / 10 for lr in schedule.base_lrs]
        if type(optimizer) in (optim.Adam, optim.AdamW):
            group["eps"] = 1e-7 / (1 - 0.999 ** (i + 1)) ** 0.5
        p.grad = torch.tensor(gradient)
        optimizer.step()
        steps.append(p.detach().numpy().copy())
        if schedule is not None:
            schedule.step()
    return np.array(steps)


def errors(make, keras, name, gradients):
    """Largest difference by scale of the gradients and by whether the rate drops at step 30."""
    found = []
    for scale in ("1", "0.001"):
        for drop in ("", ":drop"):
            p = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
            scaled = gradients * np.float32(scale)
            ours = path(make([p]), p, scaled, bool(drop), "decay" in name)
            theirs = keras[f"{name}:{scale}{drop}"]
            found.append(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return found


@pytest.mark.parametrize(("name", "make", "bound"), KERAS_3)
def test_keras_3(keras, gradients, name, make, bound):
    assert max(errors(make, keras, name, gradients)) < bound


@pytest.mark.parametrize(("name", "make", "bound"), PLAIN)
def test_plain_is_not_enough(keras, gradients, name, make, bound):
    assert max(errors(make, keras, name, gradients)) > bound


@pytest.fixture(scope="module")
def keras_224(tmp_path_factory, gradients):
    sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
    import keras224

    try:
        keras224.install()
    except keras224.NotAvailable as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("keras224")
    np.save(folder / "g.npy", gradients)
    return run_keras("keras224_optimizers.py", folder / "g.npy", out=folder / "keras.npz")


@pytest.mark.parametrize(("name", "make", "bound"), KERAS_224)
def test_keras_224(keras_224, gradients, name, make, bound):
    assert max(errors(make, keras_224, name, gradients)) < bound


@pytest.mark.parametrize(("name", "make", "bound"), [c for c in KERAS_3 if "Adam" not in c[0]])
def test_resumes_from_a_checkpoint(gradients, name, make, bound):
    """Thirty steps, a new optimizer with the saved state, thirty more: as sixty in one go."""
    whole = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
    expected = path(make([whole]), whole, gradients)[-1]
    p = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
    first, second = make([p]), make([p])
    path(first, p, gradients[:30])
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(path(second, p, gradients[30:])[-1], expected)


@pytest.mark.parametrize("name", ["SGD", "SGDFull", "RMSprop", "RMSpropFull", "Adagrad"])
def test_closure_and_unused_parameters(name):
    """As Lightning calls it: the closure computes gradients; a parameter without one stays."""
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = getattr(optimizers, name)([used, unused], lr=0.1)

    def closure():
        loss = used.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2
    assert (used < 1).all()
    assert (unused == 1).all()


def test_full_sgd_survives_a_rate_of_zero():
    """At rate zero Keras's velocity coasts on."""
    p = torch.nn.Parameter(torch.zeros(1))
    optimizer = optimizers.SGDFull([p], lr=0.1, momentum=0.5)
    for lr, expected in [(0.1, -0.1), (0.0, -0.15), (0.1, -0.275)]:
        optimizer.param_groups[0]["lr"] = lr
        p.grad = torch.ones(1)
        optimizer.step()
        assert p.item() == pytest.approx(expected)
