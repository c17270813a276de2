"""The image data sets of `keras.datasets`, read with torchvision; the folder is data/."""

import pickle
from pathlib import Path

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, MNIST, FashionMNIST


def load_mnist():
    """(x, y) of train and of test: images (n, 28, 28) and digits (n,), uint8."""
    splits = [MNIST("data", train=train, download=True) for train in (True, False)]
    return [(split.data.numpy(), split.targets.numpy().astype("uint8")) for split in splits]


def load_fashion_mnist():
    """(x, y) of train and of test: images (n, 28, 28) and classes (n,), uint8."""
    splits = [FashionMNIST("data", train=train, download=True) for train in (True, False)]
    return [(split.data.numpy(), split.targets.numpy().astype("uint8")) for split in splits]


def load_cifar10():
    """(x, y) of train and of test: images (n, 32, 32, 3) and classes (n, 1), uint8."""
    splits = [CIFAR10("data", train=train, download=True) for train in (True, False)]
    return [(split.data, np.array(split.targets, dtype="uint8")[:, None]) for split in splits]


def load_cifar100():
    """(x, y) of train and of test: uint8 images (n, 32, 32, 3), int64 fine classes (n, 1)."""
    splits = [CIFAR100("data", train=train, download=True) for train in (True, False)]
    return [(split.data, np.array(split.targets)[:, None]) for split in splits]


def load_cifar100_full(label_mode="fine"):
    """(x, y) of train and of test: uint8 images (n, 32, 32, 3), int64 classes (n, 1)."""
    splits = []
    for name in ("train", "test"):
        split = CIFAR100("data", train=name == "train", download=True)
        with Path(split.root, split.base_folder, name).open("rb") as file:
            labels = pickle.load(file, encoding="latin1")[f"{label_mode}_labels"]
        splits.append((split.data, np.array(labels)[:, None]))
    return splits
