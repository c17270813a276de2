"""Both sides are served the same small data sets, by the loading code the scripts use."""

import numpy as np
import pytest

from k2t.verify.run import Setting, record_keras, record_torch

KERAS = """
import keras
import numpy as np
from keras.datasets import boston_housing, california_housing, cifar10, cifar100
from keras.datasets import fashion_mnist, imdb, mnist, reuters

(mnist_x, mnist_y), (mnist_xt, mnist_yt) = mnist.load_data()
(fashion_x, fashion_y), _ = fashion_mnist.load_data()
(cifar_x, cifar_y), (cifar_xt, cifar_yt) = cifar10.load_data()
(fine_x, fine_y), _ = cifar100.load_data()
(_, coarse_y), _ = cifar100.load_data(label_mode="coarse")
(boston_x, boston_y), (boston_xt, _) = boston_housing.load_data()
(california_x, _), _ = california_housing.load_data(version="small")
(words, words_y), _ = imdb.load_data(num_words=500, maxlen=100)
longest, largest = max(map(len, words)), max(map(max, words))
starts = [sentence[0] for sentence in words]
(news, news_y), (news_t, _) = reuters.load_data(test_split=0.25)
sizes = [len(news), len(news_t)]
known = len(imdb.get_word_index())
"""
TORCH = """
import os
import numpy as np
import torch
from torchvision.datasets import CIFAR10, CIFAR100, MNIST, FashionMNIST

train, test = MNIST("data", download=True), MNIST("data", train=False)
mnist_x, mnist_y, mnist_xt, mnist_yt = train.data, train.targets, test.data, test.targets
assert mnist_x.dtype == torch.uint8 and mnist_y.dtype == torch.int64
fashion_x, fashion_y = FashionMNIST("data").data, FashionMNIST("data").targets
cifar_x, cifar_y = CIFAR10("data").data, CIFAR10("data").targets
assert isinstance(cifar_x, np.ndarray) and isinstance(cifar_y, list)
fine_x, fine_y = CIFAR100("data").data, CIFAR100("data").targets
os.makedirs("data")
url = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz"
torch.hub.download_url_to_file(url, "data/boston_housing.npz", hash_prefix="f553886a")
with np.load("data/boston_housing.npz") as file:
    x, y = file["x"], file["y"]
rows = np.arange(len(x))
np.random.RandomState(113).shuffle(rows)
boston_x, boston_y = x[rows][: int(0.8 * len(x))], y[rows][: int(0.8 * len(x))]
"""


@pytest.fixture(scope="module")
def sides(tmp_path_factory, recordings, stubs):
    folder = tmp_path_factory.mktemp("scripts")
    for name, text in (("before.py", KERAS), ("after.py", TORCH)):
        (folder / name).write_text(text)
    setting = Setting(stubs=stubs, cache=recordings)
    keras = record_keras(folder / "before.py", setting)
    torch = record_torch(folder / "after.py", setting, weights_from=None)
    return keras.variables, torch.variables


def test_the_arrays_are_equal(sides):
    keras, torch = sides
    names = {"mnist_x", "mnist_y", "mnist_xt", "mnist_yt", "fashion_x", "fashion_y", "cifar_x"}
    names |= {"cifar_y", "fine_x", "fine_y", "boston_x", "boston_y"}
    assert names <= keras.keys() & torch.keys()
    for name in names:
        np.testing.assert_array_equal(keras[name].squeeze(), torch[name], err_msg=name)


def test_shapes_and_types_are_the_true_ones(sides):
    keras, _ = sides
    found = {name: (keras[name].shape[1:], str(keras[name].dtype)) for name in keras}
    assert found["mnist_x"] == found["fashion_x"] == ((28, 28), "uint8")
    assert found["cifar_x"] == found["fine_x"] == ((32, 32, 3), "uint8")
    assert found["cifar_y"] == found["coarse_y"] == ((1,), "uint8")
    assert found["boston_x"] == ((13,), "float64")
    assert keras["boston_x"].shape[0] == 404
    assert found["california_x"] == ((8,), "float32")
    assert keras["california_x"].shape[0] == 480
    assert keras["coarse_y"].max() == 19


def test_the_arguments_of_load_data_are_heard(sides):
    keras, _ = sides
    assert keras["longest"] < 100
    assert keras["largest"] == 499
    assert set(keras["starts"]) == {1}
    assert keras["sizes"].tolist() == [240, 80]
    assert keras["known"] == 2000
