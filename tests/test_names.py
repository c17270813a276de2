"""No name of a tensor operation that scripts use is without a row, a reason, or a way it goes."""

from __future__ import annotations

from collections import Counter

import pytest

from k2t import table
from tests import names
from tests.names import LIST, fate, fates, listed


def test_no_name_that_scripts_use_is_open() -> None:
    assert [one.name for one in fates(listed()) if one.kind == "open"] == []


@pytest.mark.quick
def test_the_list_is_of_real_scripts_and_of_the_old_backend() -> None:
    found = listed()
    roots = Counter(name.partition(".")[0] for name, files in found if files)
    assert roots == {"tf": 407, "K": 33, "keras": 52}
    assert LIST.name == "names.tsv"
    assert len({name for name, _ in found}) == len(found)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tf.no_such_operation", "open"),
        ("keras.ops.no_such_operation", "open"),
        ("tf.reduce_mean", "row"),
        ("tf.lite.Interpreter", "refused"),
        ("tf.float32", "known"),
    ],
)
def test_each_kind_is_told_from_the_others(name: str, kind: str) -> None:
    assert fate(name).kind == kind


@pytest.mark.quick
def test_a_name_that_is_known_is_open_where_its_script_is_not_carried_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(names.KNOWN, "tf.float32", "x = tf.no_such_operation(x, tf.float32)")
    assert fate("tf.float32").kind == "open"


@pytest.mark.quick
def test_a_reason_says_what_to_do_or_why_there_is_nothing() -> None:
    reasons = set(table.load().refused.values()) | {w for _, w in table.load().under}
    assert [why for why in reasons if len(why.split()) < 5 and "." not in why] == []
