"""The pages of the finding codes (``rules/K2Txyz.md``): complete, and their examples are true."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from k2t import pipeline
from k2t.ir.finding import Finding

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
SECTIONS = ["Before", "After", "Left alone", "Measured", "Sources"]
PAGES = {path.stem: path for path in sorted((ROOT / "rules").glob("K2T*.md"))}
CODE = re.compile(r"K2T\d{3}")


def page(code: str) -> str:
    return PAGES[code].read_text(encoding="utf-8")


def sections(code: str) -> dict[str, str]:
    """The text under each heading of the second level; above the first, under ""."""
    parts = re.split(r"^## (.+)$", page(code), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def blocks(section: str) -> list[tuple[str, str]]:
    """The Python blocks of a section, each with the fidelity that the text before it names."""
    found = []
    for before, text in re.findall(r"(.*?)```python\n(.*?)```", section, flags=re.DOTALL):
        names = re.findall(r"`--fidelity (\w+)`", before)
        by_default = not names or "by default" in before.lower()
        found.append(("faithful" if by_default else names[-1], text))
    return found


def is_script(text: str) -> bool:
    return re.search(r"^import (keras|tensorflow)\b", text, flags=re.MULTILINE) is not None


def severity(code: str) -> str:
    found = re.search(r"^Severity: (info|warning|error)\.", page(code), flags=re.MULTILINE)
    assert found, f"{code} states no severity"
    return found[1]


@cache
def migrated(script: str, fidelity: str) -> tuple[str, tuple[Finding, ...]]:
    done = pipeline.migrate(script.encode(), "train.py", fidelity=fidelity)
    return done.text or "", done.findings


def scripts() -> list[str]:
    return [code for code in PAGES for _, b in blocks(sections(code)["Before"]) if is_script(b)]


def before(code: str) -> str:
    (_, text), *more = blocks(sections(code)["Before"])
    assert not more, f"{code} has several scripts"
    return text


def fidelities(code: str) -> set[str]:
    """The default, and each one the page names."""
    return {"faithful", *re.findall(r"`--fidelity (\w+)`", sections(code)["After"])}


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    sources = (ROOT / "k2t").rglob("*.py")
    given = {code for path in sources for code in CODE.findall(path.read_text(encoding="utf-8"))}
    assert set(PAGES) == given


@pytest.mark.parametrize("code", PAGES)
def test_a_page_is_complete(code: str) -> None:
    assert re.match(rf"# {code}: \S", page(code))
    assert severity(code)
    parts = sections(code)
    assert list(parts) == ["", *SECTIONS]
    assert all(text.strip() for text in parts.values())
    for name in ("Before", "After"):
        assert "```" in parts[name]
        for _, text in blocks(parts[name]):
            ast.parse(text)


@pytest.mark.parametrize("code", scripts())
def test_the_script_before_gives_the_finding(code: str) -> None:
    found = [f for fidelity in fidelities(code) for f in migrated(before(code), fidelity)[1]]
    found += pipeline.check(before(code).encode(), "train.py") or ()
    severities = {f.severity.value for f in found if f.code == code}
    assert severities == {severity(code)}


@pytest.mark.parametrize("code", scripts())
def test_what_is_refused_stops_or_stays_and_the_rest_is_as_shown(code: str) -> None:
    if severity(code) == "error":
        output, _ = migrated(before(code), "faithful")
        assert "raise NotImplementedError(" in output or output == before(code)
        return
    shown = blocks(sections(code)["After"])
    assert shown
    for fidelity, text in shown:
        output = {squeezed(line) for line in migrated(before(code), fidelity)[0].splitlines()}
        lines = [squeezed(line) for line in text.splitlines()]
        missing = [line for line in lines if line and line[0] != "#" and line not in output]
        assert not missing
