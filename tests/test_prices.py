"""Each numeric difference that made k2t emit more than torch has a page with its size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from k2t import table
from tests.prices import PRICES, Price

pytestmark = pytest.mark.quick

RULES = Path(__file__).parent.parent / "rules"
NONE_IN_TORCH = {
    "optimizers": {"Lion", "Ftrl", "Lamb", "Adafactor", "ScheduleFreeAdamW"},
    "losses": {
        "binary_focal_crossentropy", "categorical_focal_crossentropy", "dice", "tversky", "circle",
        "ctc",
    },
    "metrics": {"PearsonCorrelation", "ConcordanceCorrelation"},
    "schedules": {"CosineDecayRestarts"},
}  # fmt: skip
"""What is emitted because torch has no such thing, or one that is about something else."""
BY_HINGE = {"losses/squared_hinge", "metrics/Hinge", "metrics/SquaredHinge"}
"""Those whose targets go as those of losses/hinge do."""


def squeezed(page: str) -> str:
    return " ".join((RULES / f"{page}.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("price", PRICES, ids=lambda price: price.what)
def test_a_page_says_the_size(price: Price) -> None:
    size = price.size()
    found = re.search(rf"{re.escape(price.what)}: (\d\.\de-\d\d)", squeezed(price.page))
    assert found is not None, f"{price.page} does not say {price.what}: {size:.1e}"
    assert size > 1e-5
    assert float(found[1]) == pytest.approx(size, rel=0.1)


def test_what_is_emitted_for_a_row_has_a_price_or_none_to_pay() -> None:
    rows = table.load()
    emitting = {
        f"{section}/{row.name}"
        for section in NONE_IN_TORCH
        for row in rows.section(section).values()
        if {"helper", "hook", "plain"} & row.data.keys()
    }
    alone = {f"{section}/{name}" for section, names in NONE_IN_TORCH.items() for name in names}
    priced = {price.row for price in PRICES} | BY_HINGE
    assert alone <= emitting
    assert emitting - alone - priced == set()
    assert not alone & priced


def test_a_row_with_a_price_says_it() -> None:
    """The message of --fidelity plain (K2T403, K2T405) has a number."""
    for row in table.load().section("optimizers").values():
        if "price" in row.data:
            assert re.search(r"\d", row.data["price"]), row.name
            assert f"optimizers/{row.name}" in {price.row for price in PRICES}
