"""Reads the weights of a saved Keras model without Keras: .keras, .weights.h5 and older .h5 files.

A ".keras" file is a zip with config.json and model.weights.h5. HDF5 files of Keras 3 (and of
tf.keras from 2.13) hold `layers/dense_1/vars/0`, older ones the attributes layer_names and
weight_names. Only numbers and JSON are read: nothing is unpickled, nothing in a file is run.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import IO, Any

import h5py  # type: ignore[import-untyped]
import numpy as np

from k2t.verify.probes.child import Array
from k2t.verify.saved.keras_layers import Saved, guess, guess_flat, walk
from k2t.verify.saved.keras_stores import Flat, Named, Tree

SUFFIXES = (".keras", ".h5", ".hdf5")
# zeros compress a thousandfold, weights hardly at all
LARGEST_RATIO = 100
FREE = 64 << 20  # bytes that need not be in proportion to the file
LARGEST_CONFIG = 64 << 20
DEEPEST = 64
NOT_LAYERS = ("optimizer", "optimizer_weights", "_layer_checkpoint_dependencies")


class Unreadable(ValueError):
    """The file is none that Keras wrote, is damaged, or holds what is not read from strangers."""


def read(path: Path) -> Saved:
    """The weights in a file. Raises Unreadable, OSError, and keras_kinds.Unknown."""
    if path.is_dir():
        raise Unreadable("it is a folder (a SavedModel?); save the model as model.keras")
    if not path.name.lower().endswith(SUFFIXES):
        raise Unreadable("its name does not end in .keras, .h5 or .weights.h5")
    with open(path, "rb") as file:
        start = file.read(8)
        if start.startswith(b"PK"):
            return read_archive(file, path.stat().st_size)
        if start.startswith(b"\x80") and not start.startswith(b"\x89HDF"):
            raise Unreadable("it is a Python pickle, which could run any code: it is not loaded")
    if not h5py.is_hdf5(path):
        raise Unreadable("it is neither HDF5 nor a .keras archive")
    return read_hdf5(path, path.stat().st_size, None)


def read_archive(file: IO[bytes], size: int) -> Saved:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "model.weights.h5" not in names:
                raise Unreadable(without_weights(names))
            config = json.loads(member(archive, "config.json", LARGEST_CONFIG))
            if not isinstance(config, dict):
                raise Unreadable("its config.json does not describe a model")
            with tempfile.NamedTemporaryFile(suffix=".h5") as weights:
                limit = FREE + LARGEST_RATIO * size
                weights.write(member(archive, "model.weights.h5", limit))
                weights.flush()
                return read_hdf5(Path(weights.name), size, config)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
        raise Unreadable(f"it is not a whole .keras archive ({error})") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("its config.json is no JSON") from error
    except KeyError as error:
        raise Unreadable("it is a zip archive without config.json") from error
    except (RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Unreadable(f"it is not a whole .keras archive ({error})") from error


def without_weights(names: list[str]) -> str:
    if any(name.endswith((".npz", ".pkl", ".pickle")) for name in names):
        return "its weights are not in HDF5 (an .npz can hold pickles): it is not loaded"
    if any(name.startswith("model.weights") for name in names):
        return "its weights are split over several files, which is not read"
    return "it is a zip archive, but holds no model.weights.h5"


def member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A file in the archive; not more of it than `limit` bytes are ever unpacked."""
    with archive.open(name) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"its {name} is absurdly large when unpacked")
    return data


def read_hdf5(path: Path, size: int, config: Mapping[str, Any] | None) -> Saved:
    """The weights in an HDF5 file, with the model's configuration where it is known."""
    try:
        with h5py.File(path, "r") as file:
            check_sizes(file, size)
            saved = Saved()
            root: Any = file.get("model_weights", file)
            if "model_config" in file.attrs and config is None:
                config = json.loads(text(file.attrs["model_config"]))
            old = has_attribute(root, "layer_names")
            store: Flat | Tree = flat(root) if old else tree(root, "")
            if "nb_layers" in root.attrs:
                raise Unreadable("it was written by Keras 1, whose files are not read")
            if isinstance(store, Tree) and not store.children:
                raise Unreadable("it is an HDF5 file, but not one that Keras wrote")
            if config is not None and isinstance(inner(config).get("layers"), list):
                walk(saved, config, store)
            elif isinstance(store, Flat):
                guess_flat(saved, store)
            else:
                guess(saved, store, "", "", listed=False)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable("its model_config is no JSON") from error
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        UnicodeDecodeError,
    ) as error:
        words = str(error).strip("'\"").splitlines()
        raise Unreadable(
            f"it is damaged ({words[0] if words else type(error).__name__})"
        ) from error
    rest = store.rest()
    if rest:
        raise Unreadable(f"it holds weights that belong to no layer k2t finds: {', '.join(rest)}")
    if not saved.entries:
        raise Unreadable("it holds no weights")
    return saved


def inner(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("config")
    return found if isinstance(found, Mapping) else {}


# ----------------------------------------------------------------------------- what is in a file


def check_sizes(file: h5py.File, size: int) -> None:
    """Raises Unreadable for data outside the file, cycles, and numbers the file has no room for."""
    total = 0
    for path, item in items(file, ""):
        if not isinstance(item, h5py.Dataset):
            continue
        if item.is_virtual or item.external:
            raise Unreadable(f"its {path} lies in another file, which is not followed")
        if item.dtype.hasobject:
            raise Unreadable(f"its {path} holds objects instead of numbers: they are not loaded")
        total += int(np.prod(item.shape or (), dtype=object)) * item.dtype.itemsize
        if total > FREE + LARGEST_RATIO * size:
            raise Unreadable(
                f"its {path} has the shape {item.shape}, absurd for a file of this size"
            )


def items(group: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Everything below a group, by its path."""
    if depth > DEEPEST:
        raise Unreadable("its groups lie in one another without an end")
    for key in group:
        place = f"{path}/{key}".lstrip("/")
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise Unreadable(f"its {place} is a link, which is not followed")
        item = group[key]
        yield place, item
        if isinstance(item, h5py.Group):
            yield from items(item, place, depth + 1)


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def number(dataset: Any) -> Array:
    """The numbers of a variable; Keras writes bfloat16 as float32 or as two raw bytes."""
    if dataset.attrs.get("dtype") in ("bfloat16", b"bfloat16") and dataset.dtype.itemsize == 2:
        raw = np.asarray(dataset).view("uint16").astype("uint32") << 16
        return raw.view("float32")
    return np.asarray(dataset)


def tree(group: Any, path: str) -> Tree:
    """A group of Keras 3's format, without the optimizer's."""
    keys = [key for key in group if isinstance(group[key], h5py.Group) and key != "vars"]
    children = {key: tree(group[key], f"{path}/{key}".strip("/")) for key in keys}
    if not path:
        children = {k: child for k, child in children.items() if k not in NOT_LAYERS}
    if "vars" not in group:
        return Tree(path, children=children, is_list=path != "")
    held = group["vars"]
    order = sorted(held, key=lambda key: (int(key) if key.isdigit() else -1, key))
    own = {key: number(held[key]) for key in order}
    return Tree(path, own, children, text(held.attrs.get("name", "")))


def has_attribute(group: Any, name: str) -> bool:
    return name in group.attrs or f"{name}0" in group.attrs


def names_in(group: Any, name: str) -> list[str]:
    """A list of names in an attribute; long ones are split over name0, name1..."""
    if name in group.attrs:
        return [text(value) for value in group.attrs[name]]
    found: list[str] = []
    for part in count():
        if f"{name}{part}" not in group.attrs:
            break
        found += [text(value) for value in group.attrs[f"{name}{part}"]]
    return found


def flat(group: Any) -> Flat:
    """The variables of an older file by layer: "dense/kernel:0" is kernel of ("dense", "dense")."""
    sets: dict[tuple[str, ...], dict[str, Array]] = {}
    layers = names_in(group, "layer_names")
    for layer in (*layers, "top_level_model_weights"):
        if layer not in group:
            if layer in layers:
                raise Unreadable(f"its layer {layer} is missing")
            continue
        for name in names_in(group[layer], "weight_names"):
            if name not in group[layer]:
                raise Unreadable(f"its weight {name} of layer {layer} is missing")
            *parts, role = name.split("/")
            role = role.partition(":")[0]
            sets.setdefault((layer, *parts), {})[role] = number(group[layer][name])
    return Flat("", [Named(parts, own) for parts, own in sets.items()], top=True)
