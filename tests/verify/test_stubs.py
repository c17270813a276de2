"""Both sides are served the same small data sets, by the loading code the scripts use."""

import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from k2t.verify.run import ProbeFailed, Setting, record_keras, record_torch
from k2t.verify.standins.plots import Nothing
from k2t.verify.standins.synthetic_files import TABLES, content
from tests.conftest import LAUNCH

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

import urllib.request
import tensorflow as tf
import tensorflow_datasets as tfds

(tf_x, _), _ = tf.keras.datasets.cifar10.load_data()
address = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/pima-indians-diabetes.csv"
pima = np.loadtxt(keras.utils.get_file("pima-indians-diabetes.csv", address), delimiter=",")
local = np.genfromtxt("data/pima-indians-diabetes.csv", delimiter=",")
remote = np.loadtxt(urllib.request.urlopen(address), delimiter=",")
with open("housing.data") as file:
    rooms = float(file.readline().split()[5])
text = len(open(tf.keras.utils.get_file("nietzsche.txt", "https://s3/nietzsche.txt")).read())

def arrays(data):
    return [np.stack(part) for part in zip(*tfds.as_numpy(data))]

(tf_train, tf_rest), info = tfds.load(
    "mnist", split=["train", "train[75%:]+test"], as_supervised=True, with_info=True
)
tfds_x, tfds_y = arrays(tf_train)
tfds_rest = len(tf_rest)
tfds_classes = info.features["label"].num_classes
review = next(iter(tfds.load("imdb_reviews")["test"]))
review_words = len(review["text"].numpy().split())
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
pima = np.loadtxt("pima-indians-diabetes.csv", delimiter=",")
with open("housing.data") as file:
    rooms = float(file.readline().split()[5])
"""


@pytest.fixture(scope="module")
def sides(tmp_path_factory, recordings, stubs):
    folder = tmp_path_factory.mktemp("scripts")
    for name, text in (("before.py", KERAS), ("after.py", TORCH)):
        (folder / name).write_text(text)
    setting = Setting(launch=LAUNCH, stubs=stubs, cache=recordings)
    keras = record_keras(folder / "before.py", setting)
    torch = record_torch(folder / "after.py", setting, weights_from=None)
    return keras.variables, torch.variables


def test_the_arrays_are_equal(sides):
    keras, torch = sides
    names = {"mnist_x", "mnist_y", "mnist_xt", "mnist_yt", "fashion_x", "fashion_y", "cifar_x"}
    names |= {"cifar_y", "fine_x", "fine_y", "boston_x", "boston_y", "pima", "rooms"}
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


def test_the_other_ways_to_load_give_the_same(sides):
    keras, _ = sides
    np.testing.assert_array_equal(keras["tf_x"], keras["cifar_x"])
    np.testing.assert_array_equal(keras["local"], keras["pima"])
    np.testing.assert_array_equal(keras["remote"], keras["pima"])
    assert keras["pima"].shape == (768, 9)
    assert keras["text"] == 20_000
    np.testing.assert_array_equal(keras["tfds_x"].squeeze(-1), keras["mnist_x"])
    np.testing.assert_array_equal(keras["tfds_y"], keras["mnist_y"])
    assert keras["tfds_rest"] == 64 + 64
    assert keras["tfds_classes"] == 10
    assert keras["review_words"] >= 12


MISSING = {
    "open": "open('sensors.csv')",
    "numpy": "import numpy; numpy.loadtxt('sensors.csv')",
    "an address": "import urllib.request as u; u.urlopen('https://example.org/sensors.csv')",
}


@pytest.mark.parametrize("way", MISSING)
def test_a_file_that_is_not_known_is_named(way, stubs, tmp_path):
    script = tmp_path / "after.py"
    script.write_text(MISSING[way])
    with pytest.raises(ProbeFailed) as failure:
        record_torch(script, Setting(launch=LAUNCH, stubs=stubs), weights_from=None)
    last = str(failure.value).splitlines()[-1]
    assert "NoStandIn: " in last
    assert "real data are needed" in last
    assert "sensors.csv" in last


def test_a_file_that_is_there_is_read(stubs, tmp_path):
    """Known name or not, opened in any way; and what a script writes it reads again."""
    (tmp_path / "iris.csv").write_text("1,2\n3,4\n")
    script = tmp_path / "after.py"
    script.write_text(
        "import numpy as np\n"
        f"a = np.loadtxt({str(tmp_path / 'iris.csv')!r}, delimiter=',')\n"
        "np.save('own.npy', a)\n"
        "b = np.load('own.npy')\n"
    )
    found = record_torch(script, Setting(launch=LAUNCH, stubs=stubs), weights_from=None).variables
    assert found["a"].tolist() == found["b"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.quick
@pytest.mark.parametrize("name", TABLES)
def test_tables_are_tables(name):
    table, data = TABLES[name], content("some/folder/" + name)
    lines = data.decode().splitlines()
    assert len(lines) == min(table.rows, 1000) + table.header
    assert {len(line.split(table.separator)) for line in lines} == {len(table.columns)}
    assert content(name.rsplit("/", 1)[-1] + ".bak") is None


@pytest.mark.quick
def test_a_column_stays_in_its_range_and_the_target_follows_the_others():
    table = np.loadtxt(io.BytesIO(content("pima-indians-diabetes.csv")), delimiter=",")
    assert 0 <= table[:, 1].min() < table[:, 1].max() <= 199
    assert set(table[:, 8]) == {0, 1}
    assert np.corrcoef(table[:, 0], table[:, 8])[0, 1] > 0.3


@pytest.mark.quick
def test_a_drawing_that_is_none_takes_everything():
    plt = Nothing("matplotlib.pyplot")
    figure, axes = plt.subplots(2, 2, figsize=(4, 4))
    with plt.style.context("ggplot"):
        assert axes[0, 1].plot([1, 2]).set_title("loss") is not None
    figure.canvas[0] = 1


def test_a_history_cut_short_and_old_labels_do_not_stop_a_plot():
    code = (
        "from k2t.verify.standins import plots\n{first}plots.install()\n"
        "import matplotlib.pyplot as plt\n"
        "line, = plt.plot(range(3), [1.0], 'g-', label='loss')\n"
        "assert len(line.get_xdata()) == 0\n"
        "line, = plt.plot([1, 2], [3, 4])\nassert list(line.get_ydata()) == [3, 4]\n"
        "plt.xticks([0, 28, 56], [-4.0, 4.0])\n"
        "assert [text.get_text() for text in plt.xticks([0, 28], 'ab')[1]] == ['a', 'b']\n"
        "try:\n    plt.plot([1], [2], linestyle='no such')\n"
        "except ValueError:\n    print('said')\n"
    )
    for first in ("", "import matplotlib.axes\n"):
        script = code.format(first=first)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert done.stdout == "said\n", done.stderr


@pytest.mark.quick
def test_the_archive_of_stories_is_laid_out_as_the_true_one():
    data = content("https://s3.amazonaws.com/text-datasets/babi_tasks_1-20_v1-2.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        name = "tasks_1-20_v1-2/en-10k/qa2_two-supporting-facts_test.txt"
        lines = archive.extractfile(name).read().decode().splitlines()
    question, answer, facts = lines[3].split("\t")
    thing = question.removeprefix("4 Where is the ").removesuffix("? ")
    assert f"got the {thing}." in lines[1]
    assert lines[2].endswith(f"went to the {answer}.")
    assert facts == "2 3"
