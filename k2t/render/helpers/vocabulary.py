"""Keras's layers that look words and numbers up in a vocabulary."""

import math
import string
from collections import Counter
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F


class TextVectorization:
    """Texts as numbers of their words, as Keras's layer of this name; the most frequent is 2.

    (texts, length) numbers come out: 0 behind the last word, 1 for a word that is not known.
    """

    def __init__(self, max_tokens=None, output_sequence_length=None):
        self.max_tokens = max_tokens
        self.output_sequence_length = output_sequence_length
        self.vocabulary = ["", "[UNK]"]

    def words(self, text):
        """Without punctuation, in small letters, but for those that ASCII does not have."""
        text = text.encode().lower().translate(None, string.punctuation.encode())
        return [word.decode() for word in text.split()]

    def adapt(self, texts):
        counts = Counter(word for text in np.ravel(texts) for word in self.words(text))
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        self.vocabulary = ["", "[UNK]", *ranked][: self.max_tokens]

    def get_vocabulary(self, include_special_tokens=True):
        return self.vocabulary[0 if include_special_tokens else 2 :]

    def vocabulary_size(self):
        return len(self.vocabulary)

    def __call__(self, texts):
        if isinstance(texts, str):
            return self([texts])[0]
        numbers = {word: number for number, word in enumerate(self.vocabulary)}
        rows = [[numbers.get(word, 1) for word in self.words(text)] for text in np.ravel(texts)]
        length = self.output_sequence_length or max(map(len, rows))
        return torch.tensor([(row + [0] * (length - len(row)))[:length] for row in rows])


class TextVectorizationFull:
    """Texts as numbers of their words, as Keras's layer of this name; the most frequent is first.

    Mode "int" gives (texts, length): 0 behind the last word, 1 for a word that is not known. The
    others give (texts, words), where 0 stands for all words that are not known.
    """

    def __init__(
        self,
        max_tokens=None,
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=None,
        output_mode="int",
        output_sequence_length=None,
        pad_to_max_tokens=False,
        vocabulary=None,
    ):
        self.max_tokens = max_tokens
        self.standardize = standardize or ""
        self.split = split
        self.widths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams or (1,)
        self.output_mode = output_mode
        self.output_sequence_length = output_sequence_length
        self.pad_to_max_tokens = pad_to_max_tokens
        self.special = ["", "[UNK]"] if output_mode == "int" else ["[UNK]"]
        self.idf = None
        self.set_vocabulary([] if vocabulary is None else vocabulary)

    def set_vocabulary(self, vocabulary):
        known = [str(word) for word in vocabulary]
        if known[: len(self.special)] == self.special:
            known = known[len(self.special) :]
        self.vocabulary = [*self.special, *known]
        self.numbers = {word: number for number, word in enumerate(self.vocabulary)}

    def get_vocabulary(self, include_special_tokens=True):
        return self.vocabulary[0 if include_special_tokens else len(self.special) :]

    def vocabulary_size(self):
        return len(self.vocabulary)

    def words(self, text):
        text = text.encode()  # Keras knows the small letters of ASCII only
        if "lower" in self.standardize:
            text = text.lower()
        if "strip_punctuation" in self.standardize:
            text = text.translate(None, string.punctuation.encode())
        if self.split == "character":
            words = list(text.decode())
        else:
            words = [word.decode() for word in text.split()]
        return [
            " ".join(words[i : i + width])
            for width in self.widths
            for i in range(len(words) - width + 1)
        ]

    def adapt(self, texts):
        documents = [self.words(text) for text in np.ravel(texts)]
        counts = Counter(chain.from_iterable(documents))
        for word in self.special:
            counts.pop(word, None)
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        room = self.max_tokens - len(self.special) if self.max_tokens else None
        self.set_vocabulary(ranked[:room])
        seen = Counter(chain.from_iterable(map(set, documents)))
        idf = [math.log(1 + len(documents) / (1 + seen[word])) for word in ranked[:room]]
        self.idf = torch.tensor([sum(idf) / max(len(idf), 1), *idf])

    def __call__(self, texts):
        if isinstance(texts, str):
            return self([texts])[0]
        unknown = len(self.special) - 1
        rows = [[self.numbers.get(w, unknown) for w in self.words(t)] for t in np.ravel(texts)]
        if self.output_mode == "int":
            length = self.output_sequence_length or max(map(len, rows))
            return torch.tensor([(row + [0] * (length - len(row)))[:length] for row in rows])
        size = self.max_tokens if self.pad_to_max_tokens else len(self.vocabulary)
        counts = torch.zeros(len(rows), size, dtype=torch.long)
        for count, row in zip(counts, rows, strict=True):
            count += torch.tensor(row, dtype=torch.long).bincount(minlength=size)
        if self.output_mode == "multi_hot":
            return counts.clamp(max=1)
        if self.output_mode == "tf_idf":
            return counts * F.pad(self.idf, (0, size - len(self.idf)))
        return counts


class StringLookup:
    """Words as numbers, as Keras's layer gives them; the most frequent word comes first.

    Number 0 is the mask, if there is one, and the next one stands for words that are not known.
    Mode "int" gives the shape of the words; the others have all numbers of words as the last axis:
    "one_hot" for each word, "multi_hot" and "count" for the words of a row together.
    """

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        output_mode="int",
    ):
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.output_mode = output_mode
        masked = [] if mask_token is None else [mask_token]
        self.special = masked + [oov_token] * num_oov_indices
        self.set_vocabulary([] if vocabulary is None else vocabulary)

    def set_vocabulary(self, vocabulary):
        known = np.asarray(vocabulary).tolist()
        if known[: len(self.special)] == self.special:
            known = known[len(self.special) :]
        self.vocabulary = [*self.special, *known]
        self.numbers = {word: number for number, word in enumerate(self.vocabulary)}

    def get_vocabulary(self, include_special_tokens=True):
        return self.vocabulary[0 if include_special_tokens else len(self.special) :]

    def vocabulary_size(self):
        return len(self.vocabulary)

    def adapt(self, words):
        counts = Counter(np.ravel(words).tolist())
        for word in self.special:
            counts.pop(word, None)
        ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
        self.set_vocabulary(
            ranked[: self.max_tokens - len(self.special) if self.max_tokens else None]
        )

    def number(self, word):
        if self.num_oov_indices == 0:
            return self.numbers[word]
        return self.numbers.get(word, len(self.special) - 1)

    def __call__(self, words):
        words = np.asarray(words)
        numbers = [self.number(word) for word in words.ravel().tolist()]
        numbers = torch.tensor(numbers).reshape(words.shape)
        if self.output_mode == "int":
            return numbers
        if self.output_mode == "one_hot" and words.ndim > 1 and words.shape[-1] == 1:
            numbers = numbers.squeeze(-1)
        ones = F.one_hot(numbers, len(self.vocabulary))
        if self.output_mode == "one_hot":
            return ones
        return ones.amax(-2) if self.output_mode == "multi_hot" else ones.sum(-2)


class IntegerLookup(StringLookup):
    """The same for whole numbers: -1 stands for those that are not known."""

    def __init__(self, oov_token=-1, **options):
        super().__init__(oov_token=oov_token, **options)
