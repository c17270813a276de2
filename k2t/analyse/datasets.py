"""Shapes and dtypes of what ``keras.datasets`` and the data utilities of Keras return."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from k2t.analyse import applications, arguments
from k2t.analyse.state import Frame
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Arg,
    Array,
    Bound,
    Const,
    Dim,
    Obj,
    Shape,
    Sym,
    Tuple,
    Unknown,
    Value,
    known,
)
from k2t.table import Row


def call(interp: Any, row: Row, path: str, node: ast.Call, frame: Frame) -> Value:
    """A data set, a data utility, or a network of ``keras.applications``."""
    if row.section == "applications":
        return applications.call(interp, row, path, node, frame)
    args = arguments.bind_row(interp, row, node, frame)
    is_dataset = row.section == "datasets"
    interp.event("util", node, frame, row=row.name, args=args, dataset=is_dataset)
    return dataset(row) if is_dataset else util_result(interp, row.name, args)


def dataset(row: Row) -> Value:
    """``(x_train, y_train), (x_test, y_test)`` of a data set."""
    halves = []
    for half in ("train", "test"):
        count: Dim = Const(row.data[half]) if half in row.data else None
        x: Shape = (count, *(Const(n) for n in row.data["x_shape"]))
        y: Shape = (count, *(Const(n) for n in row.data["y_shape"]))
        halves.append(Tuple((Array(x, row.data["x_dtype"]), Array(y, row.data["y_dtype"]))))
    return Tuple(tuple(halves))


def util_result(interp: Any, name: str, args: Mapping[str, Arg]) -> Value:
    """The array a data utility returns."""
    first = args["x" if "x" in args else next(iter(args))].value if args else UNKNOWN
    array = first if isinstance(first, Array) else Array()
    match name:
        case "to_categorical":
            classes = args["num_classes"].value
            count = classes if isinstance(classes, Const | Sym) and classes != NONE else None
            if array.shape is None:
                return Array(None, "float32")
            rows = (
                array.shape[:-1]
                if len(array.shape) > 1 and is_one(array.shape[-1])
                else array.shape
            )
            return Array((*rows, count), "float32")
        case "pad_sequences":
            length = args["maxlen"].value
            dtype = args["dtype"].value
            return Array(
                (
                    rows_of(interp, first),
                    length if isinstance(length, Const | Sym) and length != NONE else None,
                ),
                str(dtype.value) if known(dtype, str) else None,  # type: ignore[union-attr]
            )
        case "normalize":
            return Array(array.shape, array.dtype if array.dtype == "float32" else "float64")
    return UNKNOWN


def rows_of(interp: Any, value: Value) -> Dim:
    if isinstance(value, Array) and value.shape:
        return value.shape[0]
    items = interp.items(value)
    return Const(len(items)) if items is not None else None


def is_one(dim: Dim) -> bool:
    return isinstance(dim, Const) and dim.value == 1


FITTED = ("word_index", "index_word", "word_counts", "num_words", "oov_token")


def fits_texts(interp: Any) -> bool:
    """Whether the script has a Tokenizer learn words: then it stays, as a class of its own."""
    return any(
        isinstance(n, ast.Attribute) and n.attr == "fit_on_texts" for n in ast.walk(interp.tree)
    )


def stays(interp: Any, value: Value) -> bool:
    return isinstance(value, Obj) and value.row == "Tokenizer" and fits_texts(interp)


def tokenizer(interp: Any, made: Obj, node: ast.Call, frame: Frame) -> Obj:
    if fits_texts(interp):
        interp.event("util", node, frame, row="Tokenizer", args=made.args)
    return made


def tokenizer_member(interp: Any, owner: Obj, attr: str) -> Value:
    """What a Tokenizer has learnt."""
    return Unknown() if attr in FITTED and fits_texts(interp) else Bound(owner, attr)


def tokenizer_call(interp: Any, owner: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """A method of a Tokenizer."""
    if name == "sequences_to_matrix":
        return tokenizer_matrix(interp, owner, node, frame)
    values = arguments.evaluated(interp, node, frame)
    if name not in ("fit_on_texts", "texts_to_sequences") or len(values) != 1:
        return interp.unsupported(f"Tokenizer.{name}", node, frame)  # type: ignore[no-any-return]
    return NONE if name == "fit_on_texts" else Unknown()


def tokenizer_matrix(interp: Any, tokenizer: Obj, node: ast.Call, frame: Frame) -> Value:
    """``Tokenizer(num_words).sequences_to_matrix(x, mode)``: needs nothing fitted but tfidf."""
    args = arguments.given(interp, node, frame, ["sequences", "mode"], {})
    words = tokenizer.args["num_words"]
    args["num_words"] = words
    interp.event("util", node, frame, row="sequences_to_matrix", args=args)
    width = words.value if isinstance(words.value, Const | Sym) else None
    rows = rows_of(interp, args["sequences"].value)
    return Array((rows, width), "float32")
