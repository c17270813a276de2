"""docs/coverage.md and README say what the rules say, and no name of Keras is without a word."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.coverage import (
    DOCUMENT,
    MARKED,
    MODULES,
    README,
    ROOT,
    SHOWN,
    Entry,
    entries,
    public_names,
)
from tests.rows.training import all_cases


@pytest.fixture(scope="module")
def found() -> dict[str, list[Entry]]:
    names = public_names(list(MODULES.values()))
    return {module: list(entries(module, of)) for module, of in names.items()}


def test_every_name_has_a_rule_or_a_reason(found: dict[str, list[Entry]]) -> None:
    assert [f"{m}.{e.name}" for m, of in found.items() for e in of if e.kind == "open"] == []


def test_the_tables_are_of_these_rules(found: dict[str, list[Entry]]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    samples = Counter(case.row for case in all_cases())
    for module, of in found.items():
        table = text.partition(f"## `{module}`\n")[2].partition("\n## ")[0]
        told = dict(re.findall(r"^\| (\w+) \|(.*)\|$", table, re.M))
        told.pop("name")
        assert list(told) == [entry.name for entry in of], "run python -m tests.coverage"
        for entry in of:
            _, how, count, _ = (cell.strip() for cell in told[entry.name].split("|"))
            is_row = how.startswith(("plain", "helper", "golden cases and tests"))
            assert is_row == (entry.kind == "row"), f"{entry.name}: run python -m tests.coverage"
            assert entry.kind == "row" or entry.about in how
            wanted = samples[entry.about] if entry.kind == "row" else 0
            assert int(count or 0) == wanted, f"{entry.name}: run python -m tests.coverage"


@pytest.mark.quick
def test_the_readme_has_the_table_of_the_document() -> None:
    found = MARKED.search(README.read_text(encoding="utf-8"))
    assert found is not None
    table = found[0].removeprefix(found[1]).removesuffix(found[2])
    document = DOCUMENT.read_text(encoding="utf-8")
    start = document.index("| module |")
    assert table.strip() == document[start : document.index("\n## ")].strip()


@pytest.mark.quick
@pytest.mark.parametrize(("name", "case"), SHOWN.items())
def test_what_is_no_row_is_in_a_golden_case(name: str, case: str) -> None:
    text = (Path(ROOT) / case / "before.py").read_text(encoding="utf-8")
    *_, module, called = name.split(".")
    shown = rf"\b{module}\.get\(" if called == "get" else rf"\b{called}\b"
    assert re.search(shown, text) is not None
