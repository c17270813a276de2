"""The compiled rule table is the one the rules say."""

import json

import pytest

from k2t import table

pytestmark = pytest.mark.quick


def test_compiled_table_is_up_to_date():
    shipped = table.COMPILED.read_text(encoding="utf-8")
    assert json.loads(shipped) == json.loads(table.compile_rules()), "run python -m k2t.table"
    assert shipped == table.compile_rules(), "run python -m k2t.table"


def test_rows_are_found_by_every_keras_name():
    loaded = table.load()
    for rows in loaded.rows.values():
        for row in rows.values():
            for path in row.keras:
                assert loaded.find(path) is row, f"{path} leads to two rows"


def test_a_bad_signature_names_its_row(tmp_path):
    (tmp_path / "layers.toml").write_text('[Dense]\nsignature = "units, ="\n')
    with pytest.raises(ValueError, match=r"layers\.toml: Dense"):
        table.compile_rules(tmp_path)
