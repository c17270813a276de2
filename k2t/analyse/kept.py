"""Objects of Keras that learn from data and stay in the script: a Tokenizer, layers that are
adapted, or called on data, before a model has them."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import arguments
from k2t.analyse.datasets import rows_of
from k2t.analyse.shape_terms import dim
from k2t.analyse.state import Frame, ModelState
from k2t.ir.values import (
    NONE,
    Arg,
    Array,
    Bound,
    Const,
    Dim,
    Obj,
    Shape,
    Sym,
    Tensor,
    Unknown,
    Value,
    known,
)
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

FITTED = ("word_index", "index_word", "word_counts", "num_words", "oov_token")
LEARNT = ("mean", "variance", "bin_boundaries")
METHODS = ("adapt", "get_vocabulary", "vocabulary_size", "set_vocabulary")
MARK = "@kept"
PLAIN = (int, float, type(None))
"""What a layer may be told that is written as one expression: numbers."""


def stays(value: Value | None) -> bool:
    """Whether a value is an object that stays where the script makes it."""
    return isinstance(value, Obj) and MARK in value.args


def owns(value: Obj) -> bool:
    """Whether methods of an object are answered here; a Tokenizer has some without learning."""
    return stays(value) or value.row == "Tokenizer"


def made(interp: Interpreter, row: Row, obj: Obj, node: ast.Call, frame: Frame) -> Obj:
    """An object whose class is emitted; a layer that needs to learn nothing is one as any other."""
    args = obj.args
    if row.name == "Tokenizer" and not fits_texts(interp):
        return obj
    told = [args[name].value for name in row.get("told", ())]
    plain = any(value != NONE for value in told) and all(known(v, PLAIN) for v in told)
    match interp.stmt:
        case ast.Assign(targets=[ast.Name(), *_], value=value):
            bound = value is node
        case _:
            bound = False
    if row.section == "layers" and (not bound or plain):
        interp.event("layer", node, frame, obj=obj, section=row.section)
        return obj
    interp.event("util", node, frame, row=row.name, args=args)
    return replace(obj, args={**args, MARK: Arg(Const(True))})


def fits_texts(interp: Interpreter) -> bool:
    """Whether the script has a Tokenizer learn words: then it stays, as a class of its own."""
    return any(
        isinstance(n, ast.Attribute) and n.attr == "fit_on_texts" for n in ast.walk(interp.tree)
    )


def member(interp: Interpreter, owner: Obj, attr: str) -> Value:
    """What an object has learnt, or a method of it."""
    learnt = FITTED if owner.row == "Tokenizer" else LEARNT
    return Unknown() if attr in learnt and stays(owner) else Bound(owner, attr)


def call(interp: Interpreter, owner: Obj, name: str, node: ast.Call, frame: Frame) -> Value:
    """A method of an object that stays."""
    if owner.row == "Tokenizer":
        return tokenizer_call(interp, owner, name, node, frame)
    values = arguments.evaluated(interp, node, frame)
    if name not in METHODS or (node.keywords and name == "adapt"):
        return interp.unsupported(f"{owner.row}.{name}", node, frame)
    if name == "adapt" and values:
        interp.event("adapt", node, frame, layer=owner.id, data=values[0])
    return NONE if name in ("adapt", "set_vocabulary") else Unknown()


def applied(interp: Interpreter, owner: Obj, inputs: Value, node: ast.AST, frame: Frame) -> Value:
    """An object called on data: what comes out is a tensor, which numpy takes for an array."""
    if isinstance(inputs, Tensor):
        return interp.unsupported(inside(owner), node, frame)
    shape = inputs.shape if isinstance(inputs, Array) else None
    if owner.row == "TextVectorization":
        words = owner.args["output_mode"].value == Const("int")
        length: Dim = None
        if words and isinstance(given := owner.args["output_sequence_length"].value, Const | Sym):
            length = given if given != NONE else None
        return Array((rows_of(interp, inputs), length), "int64" if words else None)
    if owner.row == "Normalization":
        return Array(shape, "float32")
    mode = owner.args["output_mode"].value if "output_mode" in owner.args else Const("int")
    return Array(shape if mode == Const("int") else None, None)


def inside(owner: Obj) -> str:
    """What is said of an object that looks words up where there are tensors only."""
    return f"{owner.row} in a model (call it on the data, before they go in)"


def learnt_from(interp: Interpreter, layer: Obj) -> Shape | None:
    """The shape of what a layer was adapted to, without the batch."""
    for event in interp.events:
        if event.kind == "adapt" and event["layer"] == layer.id:
            shape = event["data"].shape if isinstance(event["data"], Array) else None
            return tuple(shape[1:]) if shape is not None and len(shape) > 1 else None
    return None


def held(interp: Interpreter, layer: Obj, node: ast.AST, frame: Frame) -> Obj | None:
    """A layer that stays, as if made where it is applied, with the variable that holds it there."""
    inner: Frame | None = frame
    while inner is not None:
        for name, value in inner.names.items():
            if isinstance(value, Obj) and value.id == layer.id:
                named = {"name": Arg(Const(name)), "holder": Arg(Const(name))}
                reads = (n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name)
                place, stmt = interp.span(next(reads, node)), interp.span(interp.stmt)
                return replace(layer, args={**layer.args, **named}, span=place, stmt=stmt)
        inner = inner.parent
    return None


def at_hand(layer: Obj, state: ModelState) -> bool:
    """Whether the variable of a layer is what it was where the model is made."""
    value = state.frame.lookup(str(layer.args["holder"].value.value))  # type: ignore[union-attr]
    return isinstance(value, Obj) and value.id == layer.id


def tokenizer_call(
    interp: Interpreter, owner: Obj, name: str, node: ast.Call, frame: Frame
) -> Value:
    """A method of a Tokenizer."""
    if name == "sequences_to_matrix":
        return tokenizer_matrix(interp, owner, node, frame)
    values = arguments.evaluated(interp, node, frame)
    if name not in ("fit_on_texts", "texts_to_sequences") or len(values) != 1:
        return interp.unsupported(f"Tokenizer.{name}", node, frame)
    return NONE if name == "fit_on_texts" else Unknown()


def tokenizer_matrix(interp: Interpreter, tokenizer: Obj, node: ast.Call, frame: Frame) -> Value:
    """``Tokenizer(num_words).sequences_to_matrix(x, mode)``: needs nothing fitted but tfidf."""
    args = arguments.given(interp, node, frame, ["sequences", "mode"], {})
    words = tokenizer.args["num_words"]
    args["num_words"] = words
    interp.event("util", node, frame, row="sequences_to_matrix", args=args)
    rows = rows_of(interp, args["sequences"].value)
    return Array((rows, dim(words.value)), "float32")
