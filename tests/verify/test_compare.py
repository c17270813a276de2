"""The comparison alone, on recordings written by hand."""

import math

import numpy as np
import pytest

from k2t.verify.compare import compare, compare_samples, worst
from k2t.verify.judge import Limits, verdict
from k2t.verify.recording import Entry, Fit, Output, Recording

pytestmark = pytest.mark.quick


def recording(losses, **epoch):
    weights = [Entry("dense", "dense", {"kernel": np.ones((2, 3))})]
    fit = Fit(0, weights, weights, [0], list(losses), [8] * len(losses), [epoch] if epoch else [])
    return Recording(fits=[fit])


def test_differences_are_relative_to_the_first():
    report = compare(recording([2.0] * 12, loss=2.0), recording([2.0] * 11 + [2.2], loss=2.1))
    assert report.first_ten == 0
    assert report.overall == pytest.approx(0.1)
    assert report.metrics == {"loss": pytest.approx(0.05)}


def test_a_nan_is_no_agreement():
    report = compare(recording([1.0, 1.0]), recording([1.0, math.nan]))
    assert report.overall == math.inf
    assert not verdict(report, None).passed


def test_missing_values_are_named_and_unasked_ones_forgiven():
    a, b = recording([1.0], loss=1.0, mae=1.0, learning_rate=0.1), recording([1.0], loss=1.0)
    assert compare(a, b).fits[0].missing == ("learning_rate", "mae")
    assert verdict(compare(a, b), None).failures == (
        "names: epoch values that only Keras has: mae",
    )


def test_the_control_widens_the_limit_after_the_first_ten():
    a, b = recording([1.0] * 20), recording([1.0] * 19 + [1.01])
    disturbed = compare(b, recording([1.0] * 20))
    assert not verdict(compare(a, b), None).passed
    assert verdict(compare(a, b), disturbed).passed
    early = compare(a, recording([1.01] + [1.0] * 19))
    assert [f.split(":")[0] for f in verdict(early, disturbed).failures] == ["first ten losses"]


def test_a_declared_difference_has_its_own_limit():
    report = compare(recording([1.0], loss=1.0, val_f=1.0), recording([1.0], loss=1.0, val_f=1.02))
    assert not verdict(report, None).passed
    assert verdict(report, None, Limits(allow={"f": 0.05})).passed
    assert not verdict(report, None, Limits(allow={"f": 0.01})).passed


def test_calls_without_a_partner_fail_unless_allowed():
    a, b = recording([1.0]), recording([1.0])
    a.outputs.append(Output("predict", {"": np.zeros(3)}))
    assert verdict(compare(a, b), None).failures == ("predict: 1 and 0 calls",)
    assert verdict(compare(a, b), None, Limits(allow={"predict": math.inf})).passed


def test_outputs_of_another_shape_do_not_pass():
    a, b = recording([1.0]), recording([1.0])
    a.outputs.append(Output("predict", {"": np.zeros((3, 1))}))
    b.outputs.append(Output("predict", {"": np.zeros(3)}))
    (output,) = compare(a, b).outputs
    assert "(3, 1) and (3,)" in output.problem
    assert not verdict(compare(a, b), None).passed


def test_absent_roles_count_as_neutral():
    a, b = recording([1.0]), recording([1.0])
    arrays = {"kernel": np.ones((2, 3)), "recurrent_bias": np.array([0.0, 0.25])}
    b.fits[0].final = [Entry("lstm", "lstm", arrays)]
    fit = compare(a, b).fits[0]
    assert fit.weights == 0.25
    assert fit.worst_weight == "dense recurrent_bias"


def test_the_worst_of_several_controls():
    a = recording([1.0, 1.0], loss=1.0)
    reports = [compare(a, recording([1.0, x], loss=y)) for x, y in ((1.1, 1.0), (1.0, 1.2))]
    assert worst(reports).fits[0].losses == (0.0, pytest.approx(0.1))
    assert worst(reports).metrics == {"loss": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("make", "same"),
    [
        (lambda rng: rng.uniform(-1, 1, 4000), True),
        (lambda rng: rng.uniform(-0.8, 0.8, 4000), False),
        (lambda rng: rng.normal(0, 3**-0.5, 4000), False),
        (lambda rng: rng.uniform(-0.8, 1.2, 4000), False),
        (lambda rng: np.zeros(4), False),
    ],
)
def test_distributions_of_initial_values(make, same):
    first = np.random.default_rng(0).uniform(-1, 1, 4000)
    assert compare_samples("w", first, make(np.random.default_rng(1)), 10).same is same


def test_constants_must_be_equal():
    zeros, ones = np.zeros(4), np.ones(4)
    assert compare_samples("b", zeros, zeros, 10).same
    assert not compare_samples("b", zeros, ones, 10).same
