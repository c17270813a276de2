"""The fifteen most frequent pitfalls, planted one at a time: found, and for the right reason."""

import pytest

from k2t.verify.evidence.causes import causes
from k2t.verify.result import Divergence
from tests.pitfalls import measure, ported, verify
from tests.verify.pitfalls.planted import PITFALLS

PAIRS = sorted({pitfall.pair for pitfall in PITFALLS})


def test_every_rank_is_planted():
    assert {pitfall.rank for pitfall in PITFALLS} == set(range(1, 16))


@pytest.mark.parametrize("pair", PAIRS)
def test_a_correct_port_has_no_causes(pair, recordings):
    found = verify(pair, recordings)
    assert found.verdict.passed, found.verdict
    assert found.verdict.divergence is None
    assert causes(found, Divergence("loss", "", (), 0, 1.0), ported(pair, ())) == ()


@pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda p: f"{p.rank} {p.title}")
def test_a_planted_pitfall_is_detected_and_explained(pitfall, recordings):
    row = measure(pitfall, recordings)
    assert row.detected
    assert row.place.startswith("the port stops") == pitfall.raises
    assert row.explained, row.causes
    assert all(cause.code and cause.evidence for cause in row.causes)


TWO = [
    (
        "pairs/conv_bn",
        [
            ("x.permute(0, 2, 3, 1).flatten(1)", "x.flatten(1)"),
            ("BatchNorm2d(6, eps=1e-3, momentum=0.2)", "BatchNorm2d(6, momentum=0.2)"),
        ],
        ["BatchNorm epsilon", "Flatten order"],
    ),
    (
        "pairs/mlp",
        [
            ("self.layers(x)  #", "self.layers(x).softmax(1)  #"),
            ("        self.apply(init_weights)\n", ""),
        ],
        ["double softmax", "torch's defaults"],
    ),
]


@pytest.mark.parametrize(("pair", "edits", "titles"), TWO)
def test_of_two_mistakes_the_one_that_acts_first_is_named_first(pair, edits, titles, recordings):
    found = verify(pair, recordings, edits)
    named = causes(found, found.verdict.divergence, ported(pair, edits))
    assert len(named) == 2
    assert all(title in cause.title for title, cause in zip(titles, named, strict=True))
