"""The emitted layers that learn from data learn and give what Keras's do."""

import numpy as np
import pytest
import torch
from helper_child import run_keras
from lookup_cases import (
    BINNED,
    LOOKED_UP,
    MASKED,
    NORMALIZED,
    OTHERS,
    TEXTS,
    VECTORIZED,
    asked,
    learnt,
    numbers,
)

from k2t.render.helpers import preprocessing, vocabulary

SHORT = [
    i
    for i, kwargs in enumerate(VECTORIZED)
    if {*kwargs} <= {"max_tokens", "output_sequence_length"}
]


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    return run_keras("keras_lookups.py", out=tmp_path_factory.mktemp("keras") / "lookups.npz")


def same(found: torch.Tensor, wanted: np.ndarray) -> None:
    assert found.numpy().dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("cls", "number"),
    [
        *(("TextVectorizationFull", i) for i in range(len(VECTORIZED))),
        *(("TextVectorization", i) for i in SHORT),
    ],
)
def test_texts(keras, cls, number):
    layer = getattr(vocabulary, cls)(**VECTORIZED[number])
    layer.adapt(TEXTS)
    name = f"text{number}"
    assert layer.get_vocabulary() == keras[f"{name}/vocabulary"].tolist()
    assert layer.vocabulary_size() == len(keras[f"{name}/vocabulary"])
    same(layer(OTHERS), keras[f"{name}/list"])
    same(layer(np.array(OTHERS)[:, None]), keras[f"{name}/column"])
    same(layer(OTHERS[0]), keras[f"{name}/one"])


def test_a_vocabulary_may_be_given_with_or_without_the_special_words():
    learnt_, given = (vocabulary.TextVectorizationFull() for _ in range(2))
    learnt_.adapt(TEXTS)
    given.set_vocabulary(learnt_.get_vocabulary())
    plain = vocabulary.TextVectorizationFull(vocabulary=learnt_.get_vocabulary(False))
    assert learnt_.get_vocabulary() == given.get_vocabulary() == plain.get_vocabulary()
    same(given(OTHERS), learnt_(OTHERS).numpy())


@pytest.mark.parametrize("number", range(len(LOOKED_UP)))
def test_words_and_numbers(keras, number):
    cls, kwargs, shape = LOOKED_UP[number]
    layer = getattr(vocabulary, cls)(**kwargs)
    layer.adapt(learnt(cls))
    words = [str(word) for word in layer.get_vocabulary()]
    assert words == keras[f"lookup{number}/vocabulary"].tolist()
    same(layer(asked(cls, kwargs, shape)), keras[f"lookup{number}"])


@pytest.mark.parametrize("number", range(len(MASKED)))
def test_masks(keras, number):
    cls, kwargs = MASKED[number]
    layer = getattr(vocabulary, cls)(vocabulary=np.unique(learnt(cls)), **kwargs)
    same(layer(asked(cls, kwargs, (9, 2))), keras[f"masked{number}"])


def test_a_word_without_a_number_is_an_error():
    layer = vocabulary.StringLookup(vocabulary=["a"], num_oov_indices=0)
    with pytest.raises(KeyError):
        layer(["b"])


@pytest.mark.parametrize("number", range(len(NORMALIZED)))
def test_normalization(keras, number):
    kwargs, shape = NORMALIZED[number]
    layer = preprocessing.Normalization(**kwargs)
    layer.adapt(numbers(shape))
    np.testing.assert_allclose(
        layer(numbers(shape, 1)).numpy(), keras[f"norm{number}"], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("number", range(len(BINNED)))
def test_bins(keras, number):
    kwargs, count = BINNED[number]
    layer = preprocessing.Discretization(**kwargs)
    layer.adapt(numbers((count,)))
    np.testing.assert_array_equal(layer.bin_boundaries.numpy(), keras[f"bins{number}"])
    np.testing.assert_array_equal(layer(numbers((9, 3), 1)).numpy(), keras[f"binned{number}"])
