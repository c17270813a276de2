"""In double precision correct ports agree to the last digits, and what float32 hides is seen."""

import pytest

from k2t.verify.compare import compare
from k2t.verify.examine import Subject, examine
from k2t.verify.judge import Limits
from k2t.verify.neutral import FOLDER, neutralisers
from k2t.verify.run import Setting, record_keras, record_torch
from k2t.verify.views.wording import verdict
from tests.conftest import LAUNCH, STUBS, VERIFY
from tests.golden import cases

CASES = {case.name: case for case in cases()}


def in_double(name, *more):
    case = CASES[name]
    codes = {f.code for f in case.migrate().findings if f.severity == "warning"}
    stubs = (*STUBS, *neutralisers(codes), *more, VERIFY / "probes" / "double.py")
    setting = Setting(
        launch=LAUNCH, engine=case.options.get("engine", "keras3"), stubs=stubs, edits=case.edits
    )
    keras = record_keras(case.before, setting)
    torch = record_torch(case.after, setting, weights_from=keras)
    for side in (keras, torch):
        weights = [w for fit in side.fits for e in fit.final for w in e.arrays.values()]
        assert {str(w.dtype) for w in weights} == {"float64"}
    return compare(keras, torch)


@pytest.mark.parametrize("name", ["batchnorm_cnn", "text_cnn"])
def test_a_correct_port_agrees_to_the_last_digits(name):
    report = in_double(name)
    assert report.fits
    assert report.overall < 1e-13
    assert report.weights < 1e-13
    assert max(report.metrics.values()) < 1e-12
    assert all(output.difference < 1e-12 for output in report.outputs)


def test_an_epsilon_in_another_place_is_seen():
    """Keras's Adagrad adds it inside the square root, torch's outside: 1.5e-7 of a loss."""
    assert 1e-8 < in_double("simple_rnn_bidirectional").first_ten < 1e-6
    assert in_double("simple_rnn_bidirectional", FOLDER / "K2T403.py").first_ten < 1e-13


def examined(name, after):
    """What verify says where it is asked for more than float32 can give."""
    case = CASES[name]
    subject = Subject(case.before, after, "keras3", case.migrate().findings)
    setting = Setting(launch=LAUNCH, stubs=STUBS, edits=case.edits, steps=20, trace=True)
    return examine(subject, setting, Limits(first_ten=1e-9, gradients=1e-9, factor=1e-3))


def test_double_precision_tells_rounding_from_a_difference(tmp_path):
    case = CASES["batchnorm_cnn"]
    result = examined("batchnorm_cnn", case.after)
    assert [run.double for run in result.runs][-1]
    assert not result.runs[0].agrees
    assert result.agrees
    assert [cause.title for cause in result.causes] == ["float32 rounds sums in another order"]
    assert verdict(result).startswith("follows Keras in double precision; in float32")

    other = tmp_path / "other.py"
    text = case.after.read_text()
    assert "eps=BN_EPSILON" in text
    other.write_text(text.replace("eps=BN_EPSILON", "eps=1.001 * BN_EPSILON"))
    result = examined("batchnorm_cnn", other)
    assert result.runs[-1].double
    assert not result.agrees
