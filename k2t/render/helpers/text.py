"""Keras's preprocessing of texts."""

from collections import Counter


class Tokenizer:
    """Keras's Tokenizer: words as numbers, the most frequent one is 1; num_words - 1 are kept."""

    def __init__(
        self,
        num_words=None,
        filters='!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n',
        lower=True,
        split=" ",
        char_level=False,
        oov_token=None,
    ):
        self.num_words = num_words
        self.separators = str.maketrans(dict.fromkeys(filters, split))
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.word_counts = Counter()
        self.word_index = {}
        self.index_word = {}

    def words(self, text):
        text = text.lower() if self.lower else text
        if self.char_level:
            return text
        return [word for word in text.translate(self.separators).split(self.split) if word]

    def fit_on_texts(self, texts):
        for text in texts:
            self.word_counts.update(self.words(text))
        known = [word for word, _ in self.word_counts.most_common()]
        if self.oov_token is not None:
            known.insert(0, self.oov_token)
        self.word_index = {word: number for number, word in enumerate(known, start=1)}
        self.index_word = {number: word for word, number in self.word_index.items()}

    def texts_to_sequences(self, texts):
        return [self.numbers(text) for text in texts]

    def numbers(self, text):
        other = self.word_index.get(self.oov_token)
        found = [self.word_index.get(word, other) for word in self.words(text)]
        if self.num_words:
            found = [n if n is None or n < self.num_words else other for n in found]
        return [n for n in found if n is not None]
