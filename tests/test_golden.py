"""Golden cases: the text is what is committed, and both scripts train to the same numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from k2t.ir.finding import Severity
from k2t.verify.examine import Subject, examine
from k2t.verify.judge import Limits
from k2t.verify.result import Result
from k2t.verify.run import Setting
from k2t.verify.views import show

from .conftest import LAUNCH
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


def run(
    case: Case,
    after: Path,
    stubs: tuple,
    cache: Path,
    fidelity: str = "faithful",
) -> Result:
    """What `k2t verify` finds: as it is, and without the differences that k2t declares."""
    for package in case.needs:
        if package == "torchvision" and "K2T_TORCHVISION" in os.environ:
            continue  # children find it there: this process must not
        pytest.importorskip(package, exc_type=ImportError)
    subject = Subject(
        case.before,
        after,
        case.options.get("engine", "keras3"),
        case.migrate(fidelity).findings,
    )
    setting = Setting(
        stubs=stubs,
        edits=case.edits,
        draws=3,
        steps=50,
        trace=True,
        cache=cache,
        launch=LAUNCH,
    )
    limits = Limits(variables=tuple(case.options.get("variables", ())))
    result = examine(subject, setting, limits)
    assert sum(len(curve.keras) for curve in result.runs[0].curves) >= 20, "at least twenty steps"
    return result


def described(result: Result) -> str:
    return show.text(result, colour=False, width=100)


EXECUTED = [
    pytest.param(
        case, id=case.name, marks=[pytest.mark.nightly] * bool(case.options.get("nightly"))
    )
    for case in cases()
]


@pytest.mark.parametrize("case", EXECUTED)
def test_trains_to_the_same_numbers(case: Case, stubs: tuple, recordings: Path) -> None:
    result = run(case, case.after, stubs, recordings)
    assert result.agrees, described(result)
    # whatever had to be taken out has been announced in the migration's findings
    assert result.declared or result.runs[0].agrees or case.options.get("rounding"), described(
        result
    )


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].options.get("exact")])
def test_exact_needs_nothing_taken_out(
    case: Case, stubs: tuple, recordings: Path, tmp_path: Path
) -> None:
    exact = tmp_path / "after.py"
    exact.write_text(case.migrate("exact").text or "", encoding="utf-8")
    result = run(case, exact, stubs, recordings, "exact")
    assert result.runs[0].agrees, described(result)
