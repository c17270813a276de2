"""Canonical names: every spelling of a Keras or TensorFlow name becomes one."""

from __future__ import annotations

import ast

from k2t.ir.source import FRAMEWORKS

KERAS_PREFIXES = (
    "tensorflow.python.keras.api._v2.keras.",
    "tensorflow.compat.v1.keras.",
    "tensorflow.compat.v2.keras.",
    "tensorflow.python.keras.",
    "tensorflow.contrib.keras.",
    "tensorflow.keras.",
    "keras.api.",
    "keras.src.",
    "keras_core.",
    "tf_keras.",
)

SECTIONS = (
    "layers",
    "models",
    "optimizers",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "callbacks",
    "utils",
    "preprocessing",
)

SCHEDULE = "keras.optimizers.schedules.LearningRateSchedule"
"""The base of schedules of the script's own."""

MOVED = {
    "keras.layers.Input": "keras.Input",
    "keras.engine.Input": "keras.Input",
    "keras.models.Input": "keras.Input",
    "keras.models.Layer": "keras.layers.Layer",
    "keras.engine.Layer": "keras.layers.Layer",
    "keras.Layer": "keras.layers.Layer",
    "keras.Loss": "keras.losses.Loss",
    "keras.Metric": "keras.metrics.Metric",
    "keras.utils.Sequence": "keras.utils.PyDataset",
    "keras.backend.set_floatx": "keras.config.set_floatx",
    "keras.preprocessing.sequence.pad_sequences": "keras.utils.pad_sequences",
    "keras.objectives": "keras.losses",
    "tqdm.keras.TqdmCallback": "keras.callbacks.TqdmCallback",
    "tensorflow.random.set_seed": "keras.utils.set_random_seed",
    "tensorflow.compat.v1.set_random_seed": "keras.utils.set_random_seed",
    "tensorflow.set_random_seed": "keras.utils.set_random_seed",
    "tensorflow.random_normal_initializer": "keras.initializers.RandomNormal",
    "tensorflow.random_uniform_initializer": "keras.initializers.RandomUniform",
    "tensorflow.constant_initializer": "keras.initializers.Constant",
    "tensorflow.zeros_initializer": "keras.initializers.Zeros",
    "tensorflow.ones_initializer": "keras.initializers.Ones",
}

OUTSIDE = ("initializers", "losses", "metrics", "optimizers")
"""Modules of Keras that TensorFlow has at its top as well. What is written small there meant
something else in TensorFlow 1, but for these initializers."""
AS_BEFORE = {
    "zeros", "ones", "constant", "glorot_uniform", "glorot_normal", "he_normal", "he_uniform",
    "lecun_normal", "lecun_uniform", "orthogonal", "identity", "schedules",
}  # fmt: skip


def is_foreign(path: str) -> bool:
    """Whether a dotted name belongs to Keras or TensorFlow."""
    return path.split(".", 1)[0] in FRAMEWORKS or path.startswith("tqdm.keras")


def canonical(path: str) -> str:
    """One name for all spellings: ``tf_keras.layers.core.Dense`` -> ``keras.layers.Dense``."""
    for prefix in KERAS_PREFIXES:
        if path + "." == prefix:
            return "keras"
        if path.startswith(prefix):
            path = "keras." + path[len(prefix) :]
            break
    parts = path.split(".")
    outside = parts[0] == "tensorflow" and len(parts) > 2 and parts[1] in OUTSIDE
    if outside and (parts[-1][0].isupper() or parts[-1] in AS_BEFORE):
        parts[0] = "keras"
    if parts[:2] == ["keras", "objectives"]:
        parts[1] = "losses"
    if parts[:2] == ["keras", "engine"] and len(parts) > 2:
        parts = ["keras", "models", parts[-1]]
    if parts[:2] == ["keras", "ops"] and len(parts) == 4 and parts[2] in ("nn", "numpy", "linalg"):
        del parts[2]
    if len(parts) > 3 and parts[0] == "keras" and parts[1] in SECTIONS:
        parts = shorten(parts)
    path = ".".join(parts)
    if path in ("keras.models.Sequential", "keras.models.Model"):
        path = "keras." + parts[-1]
    return MOVED.get(path, path)


def shorten(parts: list[str]) -> list[str]:
    """Drop the file a name once lived in (the ``core`` of ``keras.layers.core.Dense``)."""
    section, inner = parts[1], parts[2:-1]
    if parts[1:3] == ["optimizers", "legacy"] and parts[3] in ("Adagrad", "Nadam", "RMSprop"):
        return parts  # by other formulas
    if section == "preprocessing" or inner == ["schedules"]:
        return parts
    if all(part.islower() for part in inner):
        return ["keras", section, parts[-1]]
    return parts


def bound_in(tree: ast.Module) -> frozenset[str]:
    """All names that a script binds itself."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                bound.add(name)
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    path = alias.name if isinstance(node, ast.Import) else f"{node.module}.x"
                    if not is_foreign(path):
                        bound.add((alias.asname or alias.name).split(".")[0])
    return frozenset(bound)
