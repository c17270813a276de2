"""Arguments that both sides of a test are called with."""

CATEGORICAL = [
    ([0, 2, 1], None),
    ([[0], [2], [1]], 5),
    ([[[0], [2]], [[1], [1]]], 3),
    ([[0, 1], [2, 0]], None),
]
SEQUENCES = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9, 10]]
PADDING = [
    {"maxlen": 4},
    {"maxlen": 9},
    {},
    {"maxlen": 4, "padding": "post"},
    {"maxlen": 4, "truncating": "post"},
    {"maxlen": 5, "padding": "post", "truncating": "post", "value": -1.0, "dtype": "float32"},
]
TOKENS = [[1, 2, 2, 5], [7, 8, 9, 2], [], [0, 1, 1, 1]]
ARRAYS = [
    ([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]], {}),
    ([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]], {"axis": 1, "order": 1}),
    ([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], {"axis": 1}),
]
LOADERS = [
    ("imdb", {}),
    ("imdb", {"num_words": 30}),
    ("imdb", {"num_words": 30, "skip_top": 5, "oov_char": None, "seed": 7}),
    ("imdb", {"maxlen": 12, "num_words": 40}),
    ("imdb", {"start_char": None, "index_from": 0}),
    ("imdb", {"start_char": None, "index_from": 2, "oov_char": 0}),
    ("reuters", {}),
    ("reuters", {"num_words": 30, "test_split": 0.35, "seed": 3}),
    ("reuters", {"maxlen": 12, "skip_top": 6, "oov_char": None}),
    ("boston_housing", {}),
    ("boston_housing", {"test_split": 0.0, "seed": 4}),
    ("california_housing", {}),
    ("california_housing", {"version": "small", "test_split": 0.3}),
    ("fashion_mnist", {}),
    ("cifar10", {}),
    ("cifar100", {}),
    ("cifar100", {"label_mode": "coarse"}),
]

# test_helper_initializers: kernels as Keras shapes them
SHAPES = [(400, 600), (3, 3, 32, 64)]
INITIALIZERS = [
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeUniform", {}),
    ("HeNormal", {}),
    ("LecunUniform", {}),
    ("LecunNormal", {}),
    ("TruncatedNormal", {}),
    ("RandomNormal", {}),
    ("RandomUniform", {}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_out"}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_avg", "distribution": "uniform"}),
    ("VarianceScaling", {"distribution": "untruncated_normal"}),
]
