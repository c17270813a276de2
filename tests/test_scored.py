"""Losses and metrics of the script that may not be carried over."""

import ast

import pytest

from k2t.analyse.scored import assigned_in_place


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("y_pred -= 1", "y_pred"),
        ("y_pred[:, 0] *= 2", "y_pred[:, 0]"),
        ("part = y_pred[:, 0]\n    part += 1", "part"),
        ("y_pred = y_pred - 1", None),
        ("total = 0\n    total += y_pred", None),
    ],
)
def test_tensors_changed_in_place_are_found(body: str, changed: str | None) -> None:
    tree = ast.parse(f"def loss(y_true, y_pred):\n    {body}\n    return y_pred")
    assert assigned_in_place(tree) == changed
