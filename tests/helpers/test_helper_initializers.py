"""The emitted initializers, and the plain ones that need none, draw from Keras's distribution."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helper_cases import INITIALIZERS, SHAPES
from helper_child import run_keras
from torch import nn

from k2t.render.helpers import initializers as helpers
from tests.samples import RISK, probability

SPELLINGS = [
    nn.init.xavier_uniform_,
    helpers.glorot_normal_,
    nn.init.kaiming_uniform_,
    helpers.he_normal_,
    lambda p: nn.init.kaiming_uniform_(p, nonlinearity="linear"),
    helpers.lecun_normal_,
    helpers.truncated_normal_,
    lambda p: nn.init.normal_(p, std=0.05),
    lambda p: nn.init.uniform_(p, -0.05, 0.05),
    lambda p: helpers.variance_scaling_(p, scale=0.5, mode="fan_out"),
    lambda p: helpers.variance_scaling_(p, 2.0, "fan_avg", "uniform"),
    lambda p: helpers.variance_scaling_(p, distribution="untruncated_normal"),
]


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    out = tmp_path_factory.mktemp("keras") / "draws.npz"
    return run_keras("keras_initializers.py", out=out)


@pytest.fixture(scope="module")
def keras_224(tmp_path_factory):
    sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
    import keras224

    try:
        keras224.install()
    except keras224.NotAvailable as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("keras224") / "draws.npz"
    return run_keras("keras_initializers.py", "2.2.4", out=out)


def check(keras, shape, case, spelling):
    """Deviation and limits within what samples of this size allow, and one distribution."""
    theirs = keras[f"{case[0]} {case[1]} {shape}"]
    weight = torch.empty(shape[-1], shape[-2], *shape[:-2])
    torch.manual_seed(0)
    ours = spelling(weight).numpy()
    assert abs(ours.std() / theirs.std() - 1) < 6 / theirs.size**0.5
    assert abs(ours.mean()) < 6 * theirs.std() / theirs.size**0.5
    assert probability(ours, theirs) > RISK
    if case[0] != "RandomNormal" and "untruncated_normal" not in case[1].values():
        assert abs(np.abs(ours).max() / np.abs(theirs).max() - 1) < 0.03


CASES = list(zip(INITIALIZERS, SPELLINGS, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("case", "spelling"), CASES)
def test_keras_3(keras, shape, case, spelling):
    check(keras, shape, case, spelling)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("case", "spelling"), CASES[:-1])
def test_keras_224(keras_224, shape, case, spelling):
    check(keras_224, shape, case, spelling)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("GlorotNormal", nn.init.xavier_normal_),
        ("HeNormal", nn.init.kaiming_normal_),
        ("TruncatedNormal", lambda p: nn.init.trunc_normal_(p, std=0.05)),
    ],
)
def test_plain_is_not_enough(keras, name, plain):
    """torch's normal ones have tails; the gap shows what the helpers are for."""
    theirs = keras[f"{name} {{}} (400, 600)"]
    torch.manual_seed(0)
    ours = plain(torch.empty(600, 400)).numpy()
    assert probability(ours, theirs) < 1e-12
    assert np.abs(ours).max() > 1.5 * np.abs(theirs).max()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("HeUniform", lambda p: nn.init.kaiming_uniform_(p, mode="fan_out")),
        ("LecunUniform", nn.init.kaiming_uniform_),  # He's gain
        ("GlorotUniform", lambda p: nn.init.xavier_uniform_(p, gain=1.01)),
        # the spread of the normal that is cut, not of what is left
        ("TruncatedNormal", lambda p: helpers.truncated_normal_(p, std=0.05 * 0.87962566)),
        ("RandomNormal", lambda p: nn.init.normal_(p, mean=0.001, std=0.05)),
    ],
)
def test_the_test_sees_other_fans_gains_and_means(keras, name, wrong):
    theirs = keras[f"{name} {{}} (400, 600)"]
    torch.manual_seed(0)
    assert probability(wrong(torch.empty(600, 400)).numpy(), theirs) < RISK


def test_the_probability_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for factor in (1.0, 1.01, 1.1):
        a, b = rng.normal(size=20000), factor * rng.normal(size=30000)
        known = stats.ks_2samp(a, b, method="asymp").pvalue
        assert abs(probability(a, b) - known) < 0.01
