"""docs/adding_a_rule.md as it is: a layer is taken out of the rules and added by data only."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from k2t import table
from k2t.pipeline import migrate
from tests.rows.cases import HEAD, row_cases
from tests.rows.run import errors, keras_values
from tests.rows.torch_side import migrated

GUIDE = Path(__file__).parent.parent / "docs" / "adding_a_rule.md"
SCRIPT = f"{HEAD}model = keras.Sequential([keras.Input((5,)), layers.ELU(alpha=0.5)])\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules without the layer."""
    folder = tmp_path / "rules"
    shutil.copytree(table.RULES, folder)
    path = folder / "layers.toml"
    text = path.read_text(encoding="utf-8")
    without = re.sub(r"^\[ELU\]\n(?:(?!\[).+\n)+", "", text, flags=re.M)
    assert without != text
    path.write_text(without, encoding="utf-8")
    return folder


def use(monkeypatch: pytest.MonkeyPatch, rules: Path) -> table.Table:
    built = table.build(json.loads(table.compile_rules(rules)))
    monkeypatch.setattr(table, "load", lambda: built)
    return built


def test_the_row_of_the_guide_is_all_it_takes(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, rules)
    left = [f.message for f in migrate(SCRIPT.encode(), "train.py").findings]
    assert any("keras.layers.ELU is not migrated" in message for message in left)

    row = re.search(r"```toml\n(\[ELU\].*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    assert row is not None
    with open(rules / "layers.toml", "a", encoding="utf-8") as file:
        file.write(f"\n{row[1]}")
    added = use(monkeypatch, rules).section("layers")["ELU"]
    result = migrate(SCRIPT.encode(), "train.py")
    assert result.text is not None
    assert "nn.ELU(alpha=0.5)" in result.text

    cases = list(row_cases(added))
    migrated.cache_clear()
    keras = keras_values(cases, tmp_path)
    found = {case.name: max(errors(case, keras).values()) for case in cases}
    migrated.cache_clear()
    assert len(found) == 6
    assert {name: error for name, error in found.items() if not error <= 1e-5} == {}
