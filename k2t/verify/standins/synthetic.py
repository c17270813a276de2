"""`--data synthetic`: data that would be downloaded, or is missing, becomes small arrays.

The same in both processes: `install_keras` and `install_torch` make the loading functions of
`keras.datasets`, `keras.utils.get_file`, `tensorflow_datasets`, torchvision and `torch.hub`, and
the opening of files and addresses, serve them. Networks trained elsewhere start untrained.
`load_data` of Keras is its own code, run on a small file of the true layout, except for CIFAR,
whose code has the number of images in it. A file that is missing and not known raises NoStandIn,
which names it.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from k2t.verify.standins import synthetic_networks
from k2t.verify.standins.synthetic_arrays import cifar, images
from k2t.verify.standins.synthetic_files import NoStandIn, content

OPERATORS: list[Any] = []


# ------------------------------------------------------------------------------------------ files


def stand_in(name: str, path: Path | None = None) -> str:
    """The path of a file with the stand-in for a path or address. Raises NoStandIn."""
    data = content(name)
    if data is None:
        raise NoStandIn(name)
    if path is None:
        folder = Path(tempfile.gettempdir(), f"k2t-{os.getpid()}")
        path = folder / name.rstrip("/").rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def served(file: Any) -> Any:
    """What to open in place of `file`: a stand-in where it is a path to nothing, or an address."""
    if not isinstance(file, str | os.PathLike) or os.path.exists(file):
        return file
    return stand_in(os.fspath(file))


def install_files() -> None:
    """Makes reading a missing file, or an address, read the stand-in of that name."""
    open_, urlopen = builtins.open, urllib.request.urlopen

    @wraps(open_)
    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return open_(served(file) if mode.startswith("r") else file, mode, *args, **kwargs)

    @wraps(urlopen)
    def fetched(url: Any, *args: Any, **kwargs: Any) -> Any:
        address = url if isinstance(url, str) else url.full_url
        if not address.startswith("file:"):
            address = Path(stand_in(address)).as_uri()
        return urlopen(address)

    def retrieved(url: str, filename: Any = None, *args: Any, **kwargs: Any) -> tuple[str, None]:
        return stand_in(url, None if filename is None else Path(filename)), None

    builtins.open = io.open = opened
    urllib.request.urlopen = fetched
    urllib.request.urlretrieve = retrieved  # type: ignore[assignment]
    for name in ("loadtxt", "genfromtxt", "fromfile"):  # they look for the file themselves
        setattr(np, name, reading(getattr(np, name)))


def reading(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def read(file: Any, *args: Any, **kwargs: Any) -> Any:
        return function(served(file), *args, **kwargs)

    return read


# ----------------------------------------------------------------------------------------- Keras


def install_keras(keras: Any) -> None:
    """Makes keras.datasets, get_file and tensorflow_datasets serve the stand-ins."""
    from k2t.verify.standins import synthetic_tfds

    install_files()
    synthetic_tfds.install()

    def get_file(fname: Any = None, origin: Any = None, *args: Any, **kwargs: Any) -> str:
        if synthetic_networks.is_network(str(origin)):
            return synthetic_networks.UNTRAINED
        return stand_in(str(origin or fname))

    synthetic_networks.install_keras(keras)
    datasets = keras.datasets  # imported first: its modules hold get_file by name
    exchange(keras.utils.get_file, get_file)
    exchange(datasets.cifar10.load_data, lambda: cifar("cifar10"))
    exchange(datasets.cifar100.load_data, lambda label_mode="fine": cifar("cifar100", label_mode))


def exchange(old: Any, new: Any) -> None:
    """Puts `new` in the place of a function of Keras in all modules that hold it by its name."""
    name = old.__name__
    for module in list(sys.modules.values()):
        if module is not None and vars(module).get(name) is old:
            setattr(module, name, new)


# ------------------------------------------------------------------------------------------ torch


def install_torch() -> None:
    """Makes torchvision.datasets and torch.hub serve the stand-ins.

    Without torchvision there is one with these data sets and nothing else. The real one is looked
    for in the folder $K2T_TORCHVISION too (`pip install --no-deps --target`): installed beside a
    torch that its compiled part does not fit, it would break `import torchmetrics` everywhere.
    """
    import torch

    install_files()
    torch.hub.download_url_to_file = download
    if "K2T_TORCHVISION" in os.environ:
        sys.path.append(os.environ["K2T_TORCHVISION"])
    if importlib.util.find_spec("torchvision") is None:
        torchvision = fake_torchvision()
    else:
        declare_operators()
        torchvision = importlib.import_module("torchvision")
        synthetic_networks.install_torch(torchvision)
    for cls, name in (("MNIST", "mnist"), ("FashionMNIST", "fashion_mnist")):
        setattr(torchvision.datasets, cls, image_class(cls, name))
    for cls, name in (("CIFAR10", "cifar10"), ("CIFAR100", "cifar100")):
        setattr(torchvision.datasets, cls, image_class(cls, name))


def download(url: str, dst: Any, hash_prefix: Any = None, progress: bool = True) -> None:
    """torch.hub.download_url_to_file without the net."""
    stand_in(url, Path(dst))


def declare_operators() -> None:
    """Names the operators that torchvision describes at import, where its library is not loaded."""
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    OPERATORS.append(library)  # it ends with the object
    roi = ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")
    for name in ("nms", "qnms", "deform_conv2d", *roi):
        for operator in (name, f"_{name}_backward"):
            if not hasattr(torch.ops.torchvision, operator):
                library.define(f"{operator}(Tensor x) -> Tensor")


def fake_torchvision() -> Any:
    """A torchvision with nothing but an empty `datasets`."""
    import torchmetrics.functional  # noqa: F401  (before: it asks for the rest of torchvision)

    package: Any = ModuleType("torchvision")
    package.__path__ = []
    package.datasets = ModuleType("torchvision.datasets")
    sys.modules |= {"torchvision": package, "torchvision.datasets": package.datasets}
    return package


def image_class(cls: str, name: str) -> type:
    """The stand-in for a class of torchvision.datasets, `data` and `targets` of the true types."""
    import torch

    class ImageSet(torch.utils.data.Dataset[Any]):
        def __init__(
            self,
            root: Any = None,
            train: bool = True,
            transform: Any = None,
            target_transform: Any = None,
            download: bool = False,
        ) -> None:
            x, y = images(name)[0 if train else 1]
            self.root, self.train = root, train
            self.transform, self.target_transform = transform, target_transform
            self.data: Any = x.copy()
            self.targets: Any = y.tolist()
            if not name.startswith("cifar"):
                self.data, self.targets = torch.from_numpy(x.copy()), torch.from_numpy(y).long()
            self.classes = [str(i) for i in range(100 if name == "cifar100" else 10)]

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            from PIL import Image

            image: Any = Image.fromarray(np.asarray(self.data[index]))
            target: Any = int(self.targets[index])
            if self.transform is not None:
                image = self.transform(image)
            if self.target_transform is not None:
                target = self.target_transform(target)
            return image, target

    ImageSet.__name__ = ImageSet.__qualname__ = cls
    return ImageSet
