"""Runs the real Keras 2.2.4 (2018, TensorFlow 1 graphs) on today's Python, NumPy and TensorFlow.

`load()` hands back the `keras` package as published. What it was written for is given back to it:
graph mode (`tensorflow.compat.v1` under the name `tensorflow`) and the names that Python, NumPy,
h5py and TensorFlow have dropped since. One thing is added, an order of reads and writes within a
training step (`_order_updates`). The changes hold for the whole process and cannot be undone, so
call `load()` in a child process that runs nothing else. FACTS.md says what 2.2.4 computes.
"""

from __future__ import annotations

import collections.abc
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

REQUIREMENTS = ("keras==2.2.4", "keras-applications==1.0.8", "keras-preprocessing==1.1.2")
PACKAGES = ("keras", "keras_applications", "keras_preprocessing")

# Names of NumPy 1 that scripts and packages of 2018 use, by what stands for them today.
NUMPY_NAMES = {
    "Inf": "inf",
    "Infinity": "inf",
    "NaN": "nan",
    "float_": "float64",
    "complex_": "complex128",
    "unicode_": "str_",
    "string_": "bytes_",
    "product": "prod",
    "cumproduct": "cumprod",
    "alltrue": "all",
    "sometrue": "any",
    "row_stack": "vstack",
    "in1d": "isin",
    "trapz": "trapezoid",
}


class NotAvailable(RuntimeError):
    """Keras 2.2.4 is not on this machine and could not be installed; the message says why."""


def folder() -> Path:
    """Where the three packages are kept: `$K2T_KERAS224`, else the user's cache."""
    if "K2T_KERAS224" in os.environ:
        return Path(os.environ["K2T_KERAS224"])
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "k2t" / "keras-2.2.4"


def install(timeout: float = 120) -> Path:
    """Installs the pinned wheels once, `timeout` seconds at most; returns their folder.

    Raises NotAvailable when pip fails. Sessions running side by side may both call it.
    """
    target = folder()
    if (target / "keras" / "__init__.py").exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / "site"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--target", str(fresh), *REQUIREMENTS]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise NotAvailable(f"Keras 2.2.4: pip took longer than {timeout} s") from error
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no message"])[-1]
            raise NotAvailable(f"Keras 2.2.4 cannot be installed: {last}") from error
        try:
            fresh.rename(target)
        except OSError:  # another session was faster
            if not (target / "keras" / "__init__.py").exists():
                raise
    return target


def load() -> ModuleType:
    """Imports Keras 2.2.4 and returns the module; `import keras` finds it from then on.

    `import tensorflow` finds `tensorflow.compat.v1`, in graph mode. Raises NotAvailable when the
    packages cannot be had, ValueError when the process has used TensorFlow eagerly before.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None and getattr(loaded, "__version__", "") == "2.2.4":
        return loaded
    site = install()
    _restore_python()
    _restore_numpy()
    _restore_h5py()
    _restore_tensorflow()
    _stand_in_for_scipy()
    for name in list(sys.modules):
        if name.partition(".")[0] in PACKAGES:  # TensorFlow imports today's Keras
            del sys.modules[name]
    sys.meta_path.insert(0, _Finder(str(site)))
    os.environ["KERAS_BACKEND"] = "tensorflow"  # ~/.keras/keras.json may name another
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `is` with literals
        keras = importlib.import_module("keras")
    if keras.__version__ != "2.2.4":
        raise NotAvailable(f"{site} holds Keras {keras.__version__}, not 2.2.4")
    _order_updates(keras.backend)
    return keras


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the three packages in their folder before any installed namesake."""

    def __init__(self, site: str) -> None:
        self.site = site

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in PACKAGES:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [self.site])


def _restore_python() -> None:
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    if not hasattr(inspect, "getargspec"):
        spec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")
        inspect.getargspec = lambda function: spec(*inspect.getfullargspec(function)[:4])
    try:
        import yaml
    except ImportError:
        return
    load_yaml = yaml.load
    yaml.load = lambda stream, Loader=yaml.UnsafeLoader: load_yaml(stream, Loader)


def _restore_numpy() -> None:
    import numpy as np

    for old, new in NUMPY_NAMES.items():
        setattr(np, old, getattr(np, new))
    for kind in (int, float, complex, object, str):  # np.bool is NumPy's own again
        setattr(np, kind.__name__, kind)

    make_array = np.array

    @functools.wraps(make_array)
    def array(*args: Any, **kwargs: Any) -> np.ndarray:
        try:
            return make_array(*args, **kwargs)
        except ValueError as error:
            if "inhomogeneous" not in str(error) or "dtype" in kwargs or len(args) > 1:
                raise
            return make_array(*args, **kwargs, dtype=object)  # rows of unequal length

    np.array = array
    np.load = functools.partial(np.load, allow_pickle=True)  # the default until NumPy 1.16.3


def _restore_h5py() -> None:
    """Attributes written from bytes are read as bytes again, alone or in arrays."""
    try:
        import h5py
        import numpy as np
    except ImportError:
        return

    read = h5py.AttributeManager.__getitem__

    def getitem(self: Any, name: str) -> Any:
        value = read(self, name)
        if isinstance(value, np.ndarray) and value.dtype == object:
            return np.array([v.encode() if isinstance(v, str) else v for v in value.tolist()])
        return value.encode() if isinstance(value, str) else value

    h5py.AttributeManager.__getitem__ = getitem


def _restore_tensorflow() -> None:
    """Puts graph-mode TensorFlow 1 under the name `tensorflow`, its private modules as then."""
    import tensorflow.compat.v1 as tf
    from tensorflow.python.framework import ops, tensor_util
    from tensorflow.python.ops import control_flow_ops, functional_ops

    tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.ERROR)
    control_flow_ops.while_loop = tf.while_loop
    functional_ops.scan = tf.scan
    ops._TensorLike = (tf.Tensor, tf.SparseTensor, tf.Variable)
    ops.is_dense_tensor_like = tensor_util.is_tf_type
    for name in ("python", "core"):  # where `import tensorflow.python.x as x` looks
        setattr(tf, name, sys.modules[f"tensorflow.{name}"])
    plugins = ModuleType("plugins")  # callbacks.TensorBoard imports it, for embeddings only
    plugins.projector = ModuleType("projector")
    sys.modules["tensorflow.contrib.tensorboard.plugins"] = plugins
    sys.modules["tensorflow"] = tf


def _stand_in_for_scipy() -> None:
    """Keras 2.2.4 asks scipy whether its inputs are sparse; without scipy none can be."""
    if importlib.util.find_spec("scipy") is not None:
        return
    scipy, sparse = ModuleType("scipy"), ModuleType("scipy.sparse")
    scipy.sparse, sparse.issparse = sparse, lambda x: False
    sys.modules["scipy"], sys.modules["scipy.sparse"] = scipy, sparse


def _order_updates(backend: Any) -> None:
    """Makes a training step read every variable before it writes any.

    As published, `K.update` adds an assignment that nothing holds back until the old value has been
    read (`iterations` by the rate's decay, a weight by the gradient of the layer below), so two
    runs differ. Here it returns the pair (variable, new value), which K.function has always taken.
    """
    import tensorflow as tf

    backend.update = lambda x, new_x: (x, new_x)
    backend.update_add = lambda x, increment: (x, x + increment)
    backend.update_sub = lambda x, decrement: (x, x - decrement)
    Function = importlib.import_module("keras.backend.tensorflow_backend").Function
    make = Function.__init__

    def init(
        self: Any, inputs: Any, outputs: Any, updates: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        pairs = [update for update in updates or [] if isinstance(update, tuple)]
        values = [new for _, new in pairs if tf.is_tensor(new)]
        with tf.control_dependencies([*outputs, *values]):
            assignments = [tf.assign(x, new) for x, new in pairs]
        others = [update for update in updates or [] if not isinstance(update, tuple)]
        make(self, inputs, outputs, others + assignments, *args, **kwargs)

    Function.__init__ = init
