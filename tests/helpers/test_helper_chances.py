"""The emitted layers change images by chance as Keras's do: the same images as often, or figures of
them that are distributed alike."""

import numpy as np
import pytest
import torch
from chance_cases import CALLS, CASES, COPIES, image, summary
from helper_child import run_keras

from k2t.render.helpers import augmentation, colours


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    return run_keras("keras_chances.py", out=tmp_path_factory.mktemp("keras") / "chances.npz")


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov and Smirnov's, of two samples."""
    places = np.sort(np.concatenate([one, other])) + 1e-3  # equal but for rounding
    shares = [np.searchsorted(np.sort(s), places) / len(s) for s in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case[0] for case in CASES])
def test_chance(keras, number):
    _, text, few = CASES[number]
    once = "Blur" in text or "Crop" in text  # drawn once for a batch: CALLS times in all
    torch.manual_seed(0)
    module = eval(text, {**vars(augmentation), **vars(colours)})
    copies = torch.tensor(np.stack([image()] * COPIES)).movedim(-1, 1)
    module.eval()
    assert module(copies) is copies
    module.train()
    found = torch.cat([module(copies) for _ in range(CALLS)]).movedim(1, -1).numpy()
    ours, theirs = summary(found, few), keras[f"case{number}"]
    if few:
        assert ours.shape == theirs.shape
        # colours of 0 to 255, both rounded to 0.01
        np.testing.assert_allclose(ours[:, :-1], theirs[:, :-1], atol=0.02)
        # two shares p of 2400 draws differ by sqrt(2p(1 - p)/2400), 0.014 at most, as standard
        # error; those of 60 draws, of 16 crops of a kind, by 0.044
        np.testing.assert_allclose(ours[:, -1], theirs[:, -1], atol=0.12 if once else 0.05)
    else:
        # alike, two samples of 2400 are 0.06 apart once in 3000 times, two of 60 0.3 in 110
        assert max(map(distance, ours, theirs)) < (0.3 if once else 0.06)
