"""Golden cases: the text is what is committed, and both scripts train to the same numbers."""

from __future__ import annotations

import math

import pytest

from k2t.ir.finding import Severity
from k2t.verify.compare import Limits
from k2t.verify.run import Setting, run_pair

from .conftest import STUBS
from .golden import Case, cases

CASES = [pytest.param(case, id=case.name) for case in cases()]


@pytest.mark.quick
@pytest.mark.parametrize("case", CASES)
def test_text(case: Case) -> None:
    assert case.migrate().text == case.after.read_text(encoding="utf-8")


@pytest.mark.quick
@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left(case: Case) -> None:
    errors = [f for f in case.migrate().findings if f.severity is Severity.ERROR]
    assert not errors


@pytest.mark.parametrize("case", CASES)
def test_trains_to_the_same_numbers(case: Case, stubs: tuple, recordings) -> None:
    neutralisers = tuple(STUBS / f"{name}.py" for name in case.options.get("neutralise", ()))
    setting = Setting(
        engine=case.options.get("engine", "keras3"),
        stubs=(*stubs, *neutralisers),
        edits=case.edits,
        cache=recordings,
    )
    allow = {k: float(v) for k, v in case.options.get("allow", {}).items()}
    result = run_pair(case.before, case.after, setting, limits=Limits(allow=allow))
    steps = sum(fit.steps[0] for fit in result.report.fits)
    assert steps >= 20, "a golden case trains at least twenty steps"
    assert all(math.isfinite(loss) for fit in result.keras.fits for loss in fit.losses)
    assert result.verdict.passed, str(result.verdict)
