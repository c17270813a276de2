"""Golden cases: the text is what is committed, and both scripts train to the same numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from k2t.ir.finding import Severity
from k2t.verify.judge import LIMITS, Limits
from k2t.verify.run import Comparison, Setting, run_pair

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


def run(case: Case, after: Path, stubs: tuple, cache: Path, limits: Limits = LIMITS) -> Comparison:
    setting = Setting(
        engine=case.options.get("engine", "keras3"), stubs=stubs, edits=case.edits, cache=cache
    )
    result = run_pair(case.before, after, setting, limits=limits)
    assert sum(f.steps[0] for f in result.report.fits) >= 20, "a case trains at least twenty steps"
    assert all(math.isfinite(loss) for fit in result.keras.fits for loss in fit.losses)
    return result


@pytest.mark.parametrize("case", CASES)
def test_trains_to_the_same_numbers(case: Case, stubs: tuple, recordings: Path) -> None:
    """The committed script; a declared difference is taken out of Keras (`neutralise`, a stub)."""
    if "exact" in case.options:
        pytest.skip("see test_exact")
    neutralisers = tuple(STUBS / f"{name}.py" for name in case.options.get("neutralise", ()))
    result = run(case, case.after, (*stubs, *neutralisers), recordings)
    assert result.verdict.passed, str(result.verdict)


@pytest.mark.parametrize("case", [c for c in CASES if "exact" in c.values[0].options])
def test_exact(case: Case, stubs: tuple, recordings: Path, tmp_path: Path) -> None:
    """A difference that is declared and has a size: within it as committed, gone under exact."""
    declared = {k: float(v) for k, v in case.options["exact"].items()}
    result = run(case, case.after, stubs, recordings, Limits(allow=declared))
    assert result.verdict.passed, str(result.verdict)
    exact = tmp_path / "after.py"
    exact.write_text(case.migrate("exact").text or "", encoding="utf-8")
    result = run(case, exact, stubs, recordings)
    assert result.verdict.passed, str(result.verdict)
