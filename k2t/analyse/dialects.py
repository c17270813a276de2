"""Which Keras a script was written for: keras2 (standalone, up to 2.3), tf_keras (2.x), keras3."""

from __future__ import annotations

import ast

DIALECTS = ("keras2", "tf_keras", "keras3")

KERAS3_ONLY = {"ops", "random", "saving", "tree", "distribution", "config", "quantizers"}
KERAS2_MODULES = {
    "keras.layers.core",
    "keras.layers.convolutional",
    "keras.layers.recurrent",
    "keras.layers.embeddings",
    "keras.layers.normalization",
    "keras.layers.noise",
    "keras.layers.merge",
    "keras.layers.pooling",
    "keras.layers.wrappers",
    "keras.layers.advanced_activations",
    "keras.preprocessing.text",
    "keras.utils.np_utils",
    "keras.utils.vis_utils",
    "keras.objectives",
    "keras.engine",
    "keras.engine.topology",
    "keras.backend.tensorflow_backend",
    "keras.wrappers.scikit_learn",
}
KERAS2_NAMES = {
    "Convolution1D",
    "Convolution2D",
    "CuDNNLSTM",
    "CuDNNGRU",
    "fit_generator",
    "evaluate_generator",
    "predict_generator",
    "predict_classes",
    "to_json",
    "np_utils",
}
KERAS2_ARGUMENTS = {
    "lr",
    "decay",
    "nb_epoch",
    "nb_filter",
    "border_mode",
    "output_dim",
    "input_length",
}


def infer(tree: ast.Module) -> str:
    """The dialect by the script's imports and spellings.

    ``tensorflow.keras`` means tf.keras 2.x unless Keras 3 names are used; standalone ``keras``
    means Keras 3 unless something is spelled as only Keras 2 had it, or ``print_function`` is
    imported from ``__future__`` (a script of the Python 2 years).
    """
    tf, old, new = False, False, False
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                modules = [a.name for a in aliases]
            case ast.ImportFrom(module=str(module), names=aliases):
                modules = [module, *(f"{module}.{a.name}" for a in aliases)]
                if module == "__future__" and any(a.name == "print_function" for a in aliases):
                    old = True
            case ast.Attribute(attr=attr, value=value):
                modules = []
                if attr in KERAS2_NAMES:
                    old = True
                if attr in KERAS3_ONLY and isinstance(value, ast.Name) and value.id == "keras":
                    new = True
            case ast.Name(id=name):
                modules = []
                old = old or name in KERAS2_NAMES
            case ast.keyword(arg=str(arg)):
                modules = []
                old = old or arg in KERAS2_ARGUMENTS
            case _:
                continue
        for module in modules:
            tf = tf or module.startswith(("tensorflow.keras", "tensorflow.python.keras"))
            tf = tf or module == "tensorflow"
            old = old or module in KERAS2_MODULES
            new = new or module in ("keras.ops", "keras.random", "keras.saving")
    if new:
        return "keras3"
    standalone = imports_standalone(tree)
    if standalone:
        return "keras2" if old else "keras3"
    return "tf_keras" if tf else "keras3"


def imports_standalone(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(
            a.name.split(".")[0] == "keras" for a in node.names
        ):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "keras":
            return True
    return False
