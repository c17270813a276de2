"""Stand-ins for public data files that tutorials read, known by their names alone.

A table has the true columns, separator, header and ranges, and the true number of rows up to ROWS.
A name may begin with a folder (or a site): train.csv alone means another file in every tutorial.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from k2t.verify.probes.child import Array
from k2t.verify.standins.synthetic_arrays import archive, images, sentences, word_index
from k2t.verify.standins.synthetic_stories import babi

ROWS = 1_000
Column = Callable[[Array, np.random.Generator], Sequence[str]]


class NoStandIn(FileNotFoundError):
    """A data file that is missing and not known; the message names it."""

    def __init__(self, name: object) -> None:
        super().__init__(errno.ENOENT, "real data are needed, there is no stand-in for", str(name))


# ---------------------------------------------------------------------------------------- columns
# A column turns one hidden standard normal number a row into texts.


def number(low: float, high: float, digits: int = 0) -> Column:
    """Numbers between low and high."""

    def texts(z: Array, rng: np.random.Generator) -> Sequence[str]:
        values = low + (high - low) / (1 + np.exp(-z))
        return [f"{value:.{digits}f}" for value in values]

    return texts


def choice(*names: str) -> Column:
    """One of some names, the later ones for larger numbers."""

    def texts(z: Array, rng: np.random.Generator) -> Sequence[str]:
        ranks = np.argsort(np.argsort(z))
        return [names[int(rank) * len(names) // len(z)] for rank in ranks]

    return texts


def count(start: int = 1) -> Column:
    """The number of the row."""
    return lambda z, rng: [str(start + i) for i in range(len(z))]


def months(year: int) -> Column:
    """1949-01, 1949-02, ..."""
    return lambda z, rng: [f"{year + i // 12}-{i % 12 + 1:02d}" for i in range(len(z))]


def word(prefix: str) -> Column:
    """A name of its own in each row."""
    return lambda z, rng: [f"{prefix}{i}" for i in range(len(z))]


@dataclass(frozen=True)
class Table:
    """A text table of (name, column). wave: the rows are a series in time.

    target: the column that is there to be learned; it follows the first three others, with noise.
    """

    rows: int
    columns: tuple[tuple[str, Column], ...]
    header: bool = True
    separator: str = ","
    target: int = -1
    quoted: bool = False
    wave: bool = False

    def text(self) -> str:
        n, width = min(self.rows, ROWS), len(self.columns)
        rng = np.random.default_rng(width)
        hidden = rng.normal(size=(n, width))
        target = self.target % width
        if self.wave:
            t = np.arange(n)[:, None]
            hidden = 0.2 * hidden + np.sin(t * 2 * np.pi / 12) + 4 * t / n - 2
        else:
            others = [i for i in range(width) if i != target][:3]
            hidden[:, target] = hidden[:, others].sum(1) + 0.3 * hidden[:, target]
        cells = [column(hidden[:, i], rng) for i, (_, column) in enumerate(self.columns)]
        names = [f'"{name}"' if self.quoted else name for name, _ in self.columns]
        lines = [self.separator.join(names)] if self.header else []
        lines += [self.separator.join(row) for row in zip(*cells, strict=True)]
        return "\n".join(lines) + "\n"


def numbers(n: int, low: float, high: float, digits: int) -> tuple[tuple[str, Column], ...]:
    return tuple((f"c{i}", number(low, high, digits)) for i in range(n))


# ----------------------------------------------------------------------------------------- tables

PIMA = (
    ("Pregnancies", number(0, 17)),
    ("Glucose", number(0, 199)),
    ("BloodPressure", number(0, 122)),
    ("SkinThickness", number(0, 99)),
    ("Insulin", number(0, 846)),
    ("BMI", number(0, 67.1, 1)),
    ("DiabetesPedigreeFunction", number(0.08, 2.42, 3)),
    ("Age", number(21, 81)),
    ("Outcome", choice("0", "0", "1")),
)
FLOWER = (
    ("sepal_length", number(4.3, 7.9, 1)),
    ("sepal_width", number(2.0, 4.4, 1)),
    ("petal_length", number(1.0, 6.9, 1)),
    ("petal_width", number(0.1, 2.5, 1)),
)
SPECIES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
BOSTON = (
    ("CRIM", number(0.006, 89, 5)),
    ("ZN", number(0, 100, 2)),
    ("INDUS", number(0.46, 27.74, 3)),
    ("CHAS", choice("0", "0", "0", "1")),
    ("NOX", number(0.385, 0.871, 4)),
    ("RM", number(3.56, 8.78, 4)),
    ("AGE", number(2.9, 100, 2)),
    ("DIS", number(1.13, 12.13, 4)),
    ("RAD", number(1, 24)),
    ("TAX", number(187, 711, 1)),
    ("PTRATIO", number(12.6, 22, 2)),
    ("B", number(0.32, 396.9, 2)),
    ("LSTAT", number(1.73, 37.97, 2)),
    ("MEDV", number(5, 50, 2)),
)
WINE = (
    ("fixed acidity", number(3.8, 15.9, 1)),
    ("volatile acidity", number(0.08, 1.58, 3)),
    ("citric acid", number(0, 1.66, 2)),
    ("residual sugar", number(0.6, 65.8, 1)),
    ("chlorides", number(0.009, 0.611, 3)),
    ("free sulfur dioxide", number(1, 289)),
    ("total sulfur dioxide", number(6, 440)),
    ("density", number(0.987, 1.039, 5)),
    ("pH", number(2.72, 4.01, 2)),
    ("sulphates", number(0.22, 2.0, 2)),
    ("alcohol", number(8, 14.9, 1)),
    ("quality", number(3, 9)),
)
CHURN = (
    ("RowNumber", count()),
    ("CustomerId", count(15_565_701)),
    ("Surname", word("Name")),
    ("CreditScore", number(350, 850)),
    ("Geography", choice("France", "Spain", "Germany", "France")),
    ("Gender", choice("Female", "Male")),
    ("Age", number(18, 92)),
    ("Tenure", number(0, 10)),
    ("Balance", number(0, 250_898, 2)),
    ("NumOfProducts", number(1, 4)),
    ("HasCrCard", choice("0", "1", "1")),
    ("IsActiveMember", choice("0", "1")),
    ("EstimatedSalary", number(11, 199_992, 2)),
    ("Exited", choice("0", "0", "0", "0", "1")),
)
TITANIC = (
    ("survived", choice("0", "0", "1")),
    ("sex", choice("male", "male", "female")),
    ("age", number(0.75, 80, 1)),
    ("n_siblings_spouses", number(0, 8)),
    ("parch", number(0, 5)),
    ("fare", number(0, 512, 4)),
    ("class", choice("First", "Second", "Third", "Third")),
    ("deck", choice("unknown", "unknown", "C", "E")),
    ("embark_town", choice("Southampton", "Southampton", "Cherbourg")),
    ("alone", choice("n", "y")),
)
HEART = (
    ("age", number(29, 77)),
    ("sex", choice("0", "1", "1")),
    ("cp", number(0, 4)),
    ("trestbps", number(94, 200)),
    ("chol", number(126, 564)),
    ("fbs", choice("0", "0", "0", "1")),
    ("restecg", choice("0", "1", "2")),
    ("thalach", number(71, 202)),
    ("exang", choice("0", "0", "1")),
    ("oldpeak", number(0, 6.2, 1)),
    ("slope", choice("1", "2", "3")),
    ("ca", choice("0", "0", "1", "2", "3")),
    ("thal", choice("normal", "normal", "reversible", "fixed")),
    ("target", choice("0", "0", "0", "1")),
)
AUTO_MPG = (
    ("MPG", number(9, 46.6, 1)),
    ("Cylinders", choice("4", "4", "6", "8")),
    ("Displacement", number(68, 455, 1)),
    ("Horsepower", number(46, 230, 1)),
    ("Weight", number(1613, 5140)),
    ("Acceleration", number(8, 24.8, 1)),
    ("Model Year", number(70, 82)),
    ("Origin", choice("1", "1", "2", "3")),
)
ABALONE = (
    ("Length", number(0.075, 0.815, 3)),
    ("Diameter", number(0.055, 0.65, 3)),
    ("Height", number(0.01, 0.515, 3)),
    ("Whole weight", number(0.002, 2.8255, 4)),
    ("Shucked weight", number(0.001, 1.488, 4)),
    ("Viscera weight", number(0.0005, 0.76, 4)),
    ("Shell weight", number(0.0015, 1.005, 4)),
    ("Age", number(1, 29)),
)
PASSENGERS = (("Month", months(1949)), ("Passengers", number(104, 622)))
IRIS = Table(150, (*FLOWER, ("species", choice(*SPECIES))), header=False)
DIABETES = Table(768, PIMA, header=False)
SONAR = Table(208, (*numbers(60, 0, 1, 4), ("class", choice("R", "M"))), header=False)
IONOSPHERE = Table(351, (*numbers(34, -1, 1, 5), ("class", choice("b", "g", "g"))), header=False)
BANKNOTE = Table(1372, (*numbers(4, -14, 18, 4), ("class", choice("0", "1"))), header=False)
HOUSES = Table(506, BOSTON, header=False, separator=" ")
AIRLINE = Table(144, PASSENGERS, quoted=True, wave=True)
SALES = Table(36, (("Month", months(1)), ("Sales", number(119, 682, 1))), quoted=True, wave=True)
TRAVELLERS = Table(627, TITANIC, target=0)

TABLES: dict[str, Table] = {
    "pima-indians-diabetes.csv": DIABETES,
    "pima-indians-diabetes.data.csv": DIABETES,
    "pima-indians-diabetes.data": DIABETES,
    "diabetes.csv": Table(768, PIMA),
    "iris.csv": IRIS,
    "iris.data": IRIS,
    "iris.data.csv": IRIS,
    "seaborn-data/iris.csv": Table(150, (*FLOWER, ("species", choice(*SPECIES)))),
    "iris_training.csv": Table(120, (*FLOWER, ("species", choice("0", "1", "2")))),
    "iris_test.csv": Table(30, (*FLOWER, ("species", choice("0", "1", "2")))),
    "housing.data": HOUSES,
    "sonar.csv": SONAR,
    "sonar.all-data": SONAR,
    "sonar.all-data.csv": SONAR,
    "ionosphere.csv": IONOSPHERE,
    "ionosphere.data": IONOSPHERE,
    "banknote_authentication.csv": BANKNOTE,
    "data_banknote_authentication.txt": BANKNOTE,
    "winequality-red.csv": Table(1599, WINE, separator=";", quoted=True),
    "winequality-white.csv": Table(4898, WINE, separator=";", quoted=True),
    "airline-passengers.csv": AIRLINE,
    "international-airline-passengers.csv": AIRLINE,
    "shampoo.csv": SALES,
    "shampoo-sales.csv": SALES,
    "Churn_Modelling.csv": Table(10_000, CHURN),
    "tf-datasets/titanic/train.csv": TRAVELLERS,
    "tf-datasets/titanic/eval.csv": Table(264, TITANIC, target=0),
    "download.tensorflow.org/data/heart.csv": Table(303, HEART),
    "auto-mpg.data": Table(398, AUTO_MPG, header=False, separator=" ", target=0),
    "abalone_train.csv": Table(3320, ABALONE, header=False),
    "abalone_test.csv": Table(850, ABALONE, header=False),
}


# ------------------------------------------------------------------------------------ other files


def npz(name: str) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **archive(name))  # type: ignore[arg-type]
    return stream.getvalue()


def idx(set_name: str, test: bool, what: str) -> bytes:
    """A gzipped file of the MNIST format: header of 16 bytes (images) or 8 (labels), then uint8."""
    part = images(set_name)[test]
    values, header = (part[0], 16) if what == "images" else (part[1], 8)
    magic = (0x803 if what == "images" else 0x801).to_bytes(4, "big")
    sizes = b"".join(int(n).to_bytes(4, "big") for n in values.shape)
    assert len(magic + sizes) == header
    return gzip.compress(magic + sizes + values.tobytes(), mtime=0)


def prose() -> bytes:
    """Twenty thousand characters of lower-case sentences."""
    texts, _ = sentences(4, 8, 160)
    letters = str.maketrans("0123456789", "aeioulnrst")
    return ". ".join(text.replace("word", "").translate(letters) for text in texts)[
        :20_000
    ].encode()


def sentence_pairs() -> bytes:
    """Short sentences and what they are in another language, as in the older files of this kind."""
    heads = {"I": "Je", "We": "Nous", "You": "Tu", "They": "Ils"}
    tails = {"go": "vais", "win": "gagne", "see": "vois", "try": "tente", "lie": "mens"}
    ends = {".": ".", "!": " !", " now.": " ici.", "?": " ?"}
    parts = [
        [a + " " + b + c for a in first for b in second for c in third]
        for first, second, third in (
            (heads, tails, ends),
            (heads.values(), tails.values(), ends.values()),
        )
    ]
    lines = ["\t".join(pair) for pair in zip(*parts, strict=True)] * 3
    order = np.random.default_rng(3).permutation(len(lines))
    return "".join(lines[i] + "\n" for i in order).encode()


OTHERS: dict[str, Callable[[], bytes]] = {
    "babi_tasks_1-20_v1-2.tar.gz": babi,
    **{
        f"{name}.npz": partial(npz, name)
        for name in ("mnist", "imdb", "reuters", "boston_housing", "california_housing")
    },
    **{
        f"{name}_word_index.json": lambda: json.dumps(word_index()).encode()
        for name in ("imdb", "reuters")
    },
    **{
        f"{folder}{part}-{what}-idx{3 if what == 'images' else 1}-ubyte.gz": partial(
            idx, name, part == "t10k", what
        )
        for folder, name in (("", "fashion_mnist"), ("mnist/", "mnist"))
        for part in ("train", "t10k")
        for what in ("images", "labels")
    },
    **dict.fromkeys(("fra-eng/fra.txt", "deu-eng/deu.txt"), sentence_pairs),
    **dict.fromkeys(("nietzsche.txt", "shakespeare.txt", "wonderland.txt"), prose),
}


@cache
def content(name: str) -> bytes | None:
    """The bytes of the stand-in for a path or address; None where it ends in no known name."""
    path = "/" + name.replace("\\", "/").split("?")[0]
    known = [key for key in (*TABLES, *OTHERS) if path.endswith("/" + key)]
    if not known:
        return None
    key = max(known, key=len)
    return TABLES[key].text().encode() if key in TABLES else OTHERS[key]()
