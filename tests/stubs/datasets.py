"""Small stand-ins for the data sets that Keras and torchvision download: true layouts, few rows.

Same arrays on both sides. Labels can be learned from the pixels, words and columns. `load_data` of
Keras is its own code, run on a small file of the true layout, except for CIFAR, whose code has the
number of images in it.
"""

import gzip
import importlib.util
import json
import os
import sys
import tempfile
import types
from functools import cache
from pathlib import Path

import numpy as np

TRAIN, TEST = 256, 64
WORDS = 2_000  # largest index of a word in the stand-ins for imdb and reuters
OPERATORS = []
BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


# ------------------------------------------------------------------------------------ raw arrays


def image_set(shape, classes, seed):
    """((x, y), (x, y)): uint8 images with a bright bar whose place tells the class."""
    rng = np.random.default_rng(seed)
    n = TRAIN + TEST
    y = rng.integers(0, classes, size=n).astype("uint8")
    x = rng.integers(0, 90, size=(n, *shape), dtype="uint8")
    height, width = shape[:2]
    for image, label in zip(x, y, strict=True):
        row, column = divmod(int(label), 10)
        image[1 + 2 * row : 3 + 2 * row, 2 * column : 2 * column + width // 4] += 140
        image[height // 2 :, 2 * column : 2 * column + 3] += 60
    return (x[:TRAIN], y[:TRAIN]), (x[TRAIN:], y[TRAIN:])


def word_set(classes, seed, n):
    """(x, y): lists of word indices from 1 (frequent) on; the class's own words are among them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, size=n)
    x = np.empty(n, dtype=object)
    for i, label in enumerate(y):
        words = np.minimum(rng.zipf(1.3, size=rng.integers(12, 120)), WORDS)
        own = rng.random(len(words)) < 0.15
        x[i] = np.where(own, 20 + 7 * label + rng.integers(0, 7, size=len(words)), words).tolist()
    return x, y.astype("int64")


def number_set(columns, seed, n, scale):
    """(x, y): columns of very different sizes, and a target that follows some of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, columns))
    y = z[:, 0] + 0.5 * z[:, 1] - 0.7 * np.abs(z[:, 2]) + 0.1 * rng.normal(size=n)
    sizes = np.logspace(-1, 2.5, columns)
    return np.abs(3 + z) * sizes, scale * (2.5 + 0.5 * y)


@cache
def images(name):
    shape, classes, seed = {
        "mnist": ((28, 28), 10, 0),
        "fashion_mnist": ((28, 28), 10, 1),
        "cifar10": ((32, 32, 3), 10, 2),
        "cifar100": ((32, 32, 3), 100, 3),
    }[name]
    return image_set(shape, classes, seed)


@cache
def archive(name):
    """What the .npz of a data set holds."""
    if name == "mnist":
        (x_train, y_train), (x_test, y_test) = images("mnist")
        return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    if name == "imdb":
        x, y = word_set(2, 4, TRAIN + TEST)
        return {
            "x_train": x[:TRAIN], "y_train": y[:TRAIN], "x_test": x[TRAIN:], "y_test": y[TRAIN:]
        }  # fmt: skip
    if name == "reuters":
        x, y = word_set(46, 5, TRAIN + TEST)
    elif name == "boston_housing":
        x, y = number_set(13, 6, 506, 10.0)
    elif name == "california_housing":
        x, y = (part.astype("float32") for part in number_set(8, 7, 900, 80_000.0))
    else:
        raise FileNotFoundError(f"no stand-in for the data set {name}")
    return {"x": x, "y": y}


def word_index():
    """Words by index, as in the .json beside imdb and reuters."""
    return {f"word{i}": i for i in range(1, WORDS + 1)}


# ------------------------------------------------------------------------------------------ files


def write(file, path):
    """Writes the stand-in for a file of that name: .npz, .json or one of MNIST's .gz."""
    name = file.removesuffix(".npz").removesuffix("_word_index.json")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.endswith(".json"):
        path.write_text(json.dumps(word_index()))
    elif file.endswith(".npz"):
        with open(path, "wb") as stream:
            np.savez(stream, **archive(name))
    elif file.endswith("-ubyte.gz"):
        part = images("fashion_mnist")[file.startswith("t10k")]
        values, header = (part[0], 16) if "images" in file else (part[1], 8)
        path.write_bytes(gzip.compress(bytes(header) + values.tobytes()))
    else:
        raise FileNotFoundError(f"no stand-in for the file {file}")
    return str(path)


def get_file(fname=None, origin=None, *args, **kwargs):
    """keras.utils.get_file without the net: the data sets' files only."""
    file = (origin or fname).rsplit("/", 1)[-1]
    return write(file, Path(tempfile.gettempdir(), f"k2t-{os.getpid()}", file))


# ----------------------------------------------------------------------------------------- Keras


def install_keras(keras):
    """Makes keras.datasets serve the stand-ins."""
    for name in ("mnist", "fashion_mnist", "imdb", "reuters", "boston_housing"):
        source = sys.modules[getattr(keras.datasets, name).load_data.__module__]
        source.get_file = get_file
    if hasattr(keras.datasets, "california_housing"):
        load = keras.datasets.california_housing.load_data
        sys.modules[load.__module__].get_file = get_file
    keras.datasets.cifar10.load_data = lambda: cifar("cifar10")
    keras.datasets.cifar100.load_data = lambda label_mode="fine": cifar("cifar100", label_mode)


def cifar(name, label_mode="fine"):
    """CIFAR as Keras hands it out: labels in a column; coarse ones are twenty groups of five."""
    return tuple(
        (x, (y if label_mode == "fine" else y // 5).reshape(-1, 1)) for x, y in images(name)
    )


# ------------------------------------------------------------------------------------------ torch


def install_torch():
    """Makes torchvision.datasets and torch.hub serve the stand-ins.

    Without torchvision there is one with these data sets and nothing else. The real one is looked
    for in the folder $K2T_TORCHVISION too (`pip install --no-deps --target`): installed beside a
    torch that its compiled part does not fit, it would break `import torchmetrics` everywhere.
    """
    import torch

    torch.hub.download_url_to_file = download
    if "K2T_TORCHVISION" in os.environ:
        sys.path.append(os.environ["K2T_TORCHVISION"])
    if importlib.util.find_spec("torchvision") is None:
        torchvision = fake_torchvision()
    else:
        declare_operators()
        import torchvision
    for cls, name in (("MNIST", "mnist"), ("FashionMNIST", "fashion_mnist")):
        setattr(torchvision.datasets, cls, image_class(cls, name))
    for cls, name in (("CIFAR10", "cifar10"), ("CIFAR100", "cifar100")):
        setattr(torchvision.datasets, cls, image_class(cls, name))


def download(url, dst, hash_prefix=None, progress=True):
    """torch.hub.download_url_to_file without the net."""
    if not url.startswith(BASE):
        raise FileNotFoundError(f"no stand-in for {url}")
    write(url.removeprefix(BASE), dst)


def declare_operators():
    """Names the operators that torchvision describes at import, where its library is not loaded."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    OPERATORS.append(library)  # it ends with the object
    roi = ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")
    for name in ("nms", "qnms", "deform_conv2d", *roi):
        for operator in (name, f"_{name}_backward"):
            if not hasattr(torch.ops.torchvision, operator):
                library.define(f"{operator}(Tensor x) -> Tensor")


def fake_torchvision():
    """A torchvision with nothing but an empty `datasets`."""
    import torchmetrics.functional  # noqa: F401  (before: it asks for the rest of torchvision)

    package, datasets = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    package.__path__ = []
    package.datasets = datasets
    sys.modules |= {"torchvision": package, "torchvision.datasets": datasets}
    return package


def image_class(cls, name):
    """The stand-in for a class of torchvision.datasets, `data` and `targets` of the true types."""
    import torch

    class ImageSet(torch.utils.data.Dataset):
        def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
            x, y = images(name)[0 if train else 1]
            self.root, self.train = root, train
            self.transform, self.target_transform = transform, target_transform
            if name.startswith("cifar"):
                self.data, self.targets = x.copy(), y.tolist()
            else:
                self.data, self.targets = torch.from_numpy(x.copy()), torch.from_numpy(y).long()
            self.classes = [str(i) for i in range(100 if name == "cifar100" else 10)]

        def __len__(self):
            return len(self.data)

        def __getitem__(self, index):
            from PIL import Image

            image, target = Image.fromarray(np.asarray(self.data[index])), int(self.targets[index])
            if self.transform is not None:
                image = self.transform(image)
            if self.target_transform is not None:
                target = self.target_transform(target)
            return image, target

    ImageSet.__name__ = ImageSet.__qualname__ = cls
    return ImageSet
