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
    Const,
    Dim,
    Shape,
    Sym,
    Tuple,
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
