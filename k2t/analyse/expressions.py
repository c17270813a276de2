"""Expressions: what each is worth, as far as that is known without running it."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from k2t.analyse import arrays, calls, kept, names
from k2t.analyse.state import Frame, Pass
from k2t.ir.values import (
    NONE,
    UNKNOWN,
    Array,
    Bound,
    Class,
    Const,
    Expr,
    History,
    Instance,
    ListRef,
    ModelRef,
    Module,
    NameUse,
    Obj,
    Ref,
    Sym,
    Tensor,
    Tuple,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter

MAX_ITERATIONS = 256
PURE = {"len", "int", "float", "max", "min", "round", "abs", "sum", "str", "range", "sorted"}
"""Builtins that an expression may call and still be repeated in another place."""


def evaluate(interp: Interpreter, node: ast.expr, frame: Frame) -> Value:
    """What an expression is, with its source text where that can be repeated elsewhere."""
    interp.steps += 1
    value = by_kind(interp, node, frame)
    if isinstance(value, Const | Sym | Tuple | ListRef) and not isinstance(node, ast.Name):
        expr = expr_of(interp, node, frame)
        if expr is not None:
            return replace(value, expr=expr)
    return value


def by_kind(interp: Interpreter, node: ast.expr, frame: Frame) -> Value:
    match node:
        case ast.Constant(value=value):
            return Const(value)
        case ast.Name():
            return variable(interp, node, frame)
        case ast.Attribute(value=owner, attr=attr):
            return attribute(interp, interp.eval(owner, frame), attr, node, frame)
        case ast.Call():
            return calls.call(interp, node, frame)
        case ast.BinOp(left=left, op=op, right=right):
            return binary(
                interp, op, interp.eval(left, frame), interp.eval(right, frame), node, frame
            )
        case ast.UnaryOp(op=op, operand=operand):
            return unary(interp, op, interp.eval(operand, frame), node, frame)
        case ast.Compare():
            return compare(interp, node, frame)
        case ast.BoolOp(op=op, values=values):
            return boolean(interp, op, [interp.eval(v, frame) for v in values])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            truth = interp.truth(interp.eval(test, frame))
            one, two = interp.eval(body, frame), interp.eval(orelse, frame)
            if truth is None:
                phase = interp.keras.is_phase(interp.eval(test, frame))
                chosen = interp.keras.either(one, two) if phase else None
                return chosen or (one if one == two else arrays.join(one, two))
            return one if truth else two
        case ast.Tuple(elts=elts):
            return Tuple(tuple(interp.elements(elts, frame)))
        case ast.List(elts=elts):
            return interp.new_list(tuple(interp.elements(elts, frame)))
        case ast.Dict(keys=keys, values=values):
            return dictionary(interp, keys, values, frame)
        case ast.Subscript(value=owner, slice=index):
            return subscript(interp, interp.eval(owner, frame), index, node, frame)
        case ast.Lambda():
            return interp.function(node, frame)
        case ast.JoinedStr(values=values):
            for part in values:
                if isinstance(part, ast.FormattedValue):
                    interp.eval(part.value, frame)
            return Sym(type="str")
        case (
            ast.ListComp(elt=elt, generators=generators)
            | ast.GeneratorExp(elt=elt, generators=generators)
        ):
            return comprehension(interp, (elt,), generators, frame)
        case ast.DictComp(key=key, value=value, generators=generators):
            return named(interp, comprehension(interp, (key, value), generators, frame))
        case ast.NamedExpr(target=target, value=value):
            result = interp.eval(value, frame)
            interp.bind(target, result, frame)
            return result
        case ast.Starred(value=inner):
            return interp.eval(inner, frame)
        case ast.Yield(value=given) if given is not None:
            frame.yields.append(interp.eval(given, frame))
            return NONE
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    interp.eval(child, frame)
            return UNKNOWN


def dictionary(
    interp: Interpreter, keys: list[ast.expr | None], values: list[ast.expr], frame: Frame
) -> Value:
    content: dict[Any, Value] = {}
    for key, value in zip(keys, values, strict=True):
        result = interp.eval(value, frame)
        if key is None:
            inner = interp.heap.get(result.id) if isinstance(result, ListRef) else None
            content.update(inner if isinstance(inner, dict) else {})
            continue
        name = interp.eval(key, frame)
        if isinstance(name, Const) and isinstance(name.value, str | int | float | None):
            content[name.value] = result
    return interp.new_list(content, "dict")


def comprehension(
    interp: Interpreter,
    elements: tuple[ast.expr, ...],
    generators: list[ast.comprehension],
    frame: Frame,
) -> Value:
    """The list of what each round gives; of several expressions the tuples."""
    inner = Frame(interp.fresh(), frame.scope, frame)
    interp.frames[inner.id] = inner
    interp.comprehended[inner.id] = elements[-1]
    generator = generators[0]
    iterable = interp.eval(generator.iter, frame)
    items = interp.items(iterable)
    simple = len(generators) == 1 and not generator.ifs
    if items is None or len(items) > MAX_ITERATIONS or not simple:
        interp.bind(generator.target, arrays.element(iterable), inner)
        for extra in generators[1:]:
            interp.bind(extra.target, arrays.element(interp.eval(extra.iter, inner)), inner)
        for element in elements:
            interp.eval(element, inner)
        return UNKNOWN
    results, outer, first = [], interp.iteration, interp.counter
    for number, item in enumerate(items):
        interp.iteration, start = (*outer, number), interp.counter
        interp.bind(generator.target, item, inner)
        values = tuple(interp.eval(element, inner) for element in elements)
        results.append(values[0] if len(values) == 1 else Tuple(values))
        last = id(elements[-1])
        interp.passes.append(Pass(last, first, number, item, start, interp.counter))
    interp.iteration = outer
    return interp.new_list(tuple(results))


def named(interp: Interpreter, pairs: Value) -> Value:
    """A dict of pairs whose keys are known."""
    items = interp.items(pairs)
    found = [interp.items(pair) for pair in items or ()]
    keys = [pair[0].value for pair in found if pair and isinstance(pair[0], Const)]
    if items is None or len(keys) < len(items):
        return UNKNOWN
    values = [pair[1] for pair in found if pair]
    return interp.new_list(dict(zip(keys, values, strict=True)), "dict")


def variable(interp: Interpreter, node: ast.Name, frame: Frame) -> Value:
    name = node.id
    owner = frame.owner(name)
    if owner is None:
        if name == "__name__":
            imported = interp.span(node).start < interp.source.main
            return Const("__imported__" if imported else "__main__")
        return Module(f"builtins.{name}") if hasattr(builtins, name) else UNKNOWN
    value = owner.names[name]
    if isinstance(value, Ref | Tensor | Obj | History) or interp.keras.holds_keras(value):
        interp.loads[id(node)] = (node, interp.stmt, value)
    if isinstance(value, Const | Sym | Tuple | ListRef):
        use = NameUse(name, owner.id, owner.versions.get(name, 0))
        return replace(value, expr=Expr(name, (use,)))
    return value


def expr_of(interp: Interpreter, node: ast.expr, frame: Frame) -> Expr | None:
    """The source of an expression and the bindings it reads; None where it cannot be repeated."""
    uses: dict[str, NameUse] = {}
    for child in ast.walk(node):
        match child:
            case ast.Name(id=name):
                owner = frame.owner(name)
                if owner is None:
                    if name not in PURE:
                        return None
                    continue
                value = owner.names[name]
                made = isinstance(value, Obj) and not kept.stays(value)
                if made or isinstance(value, Ref | ModelRef | Tensor | History):
                    return None
                uses[name] = NameUse(name, owner.id, owner.versions.get(name, 0))
            case ast.Call(func=func):
                if not pure(func, frame):
                    return None
            case ast.Lambda() | ast.ListComp() | ast.GeneratorExp() | ast.NamedExpr():
                return None
    return Expr(interp.source.slice(interp.spans.of(node)), tuple(uses.values()))


def pure(func: ast.expr, frame: Frame) -> bool:
    if isinstance(func, ast.Name):
        return func.id in PURE and frame.owner(func.id) is None
    if isinstance(func, ast.Attribute) and func.attr in ("vocabulary_size", "get_vocabulary"):
        return isinstance(func.value, ast.Name) and kept.stays(frame.lookup(func.value.id))
    root = func
    while isinstance(root, ast.Attribute):
        root = root.value
    value = frame.lookup(root.id) if isinstance(root, ast.Name) else None
    return isinstance(value, Module) and value.path.split(".")[0] in ("numpy", "math")


TOP = ("values", "indices")
"""What ``tf.math.top_k`` gives, by name."""


def attribute(
    interp: Interpreter, owner: Value, attr: str, node: ast.Attribute, frame: Frame
) -> Value:
    match owner:
        case Ref(path=path):
            return interp.keras.attribute(names.canonical(f"{path}.{attr}"), node, frame)
        case Module(path=path):
            return arrays.constant(f"{path}.{attr}") or Module(f"{path}.{attr}")
        case Array():
            return arrays.attribute(owner, attr)
        case Instance():
            return interp.attributes.get(owner.id, {}).get(attr, Bound(owner, attr))
        case Unknown(why=why) if why is not None:
            return Const(1) if attr == "num_replicas_in_sync" else owner
        case ModelRef() | History() | Tensor() | Obj():
            return interp.keras.member(owner, attr, node, frame)
        case Tuple(items=(Tensor() as values, Tensor() as indices)) if attr in TOP:
            return (values, indices)[TOP.index(attr)]
        case ListRef() | Sym() | Const() | Tuple() | Class():
            return Bound(owner, attr)
        case Unknown() if attr in ("astype", "reshape"):  # so it is an array
            return Bound(Array(), attr)
    return UNKNOWN


def binary(
    interp: Interpreter, op: ast.operator, left: Value, right: Value, node: ast.AST, frame: Frame
) -> Value:
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return interp.keras.tensor_operator(op, left, right, node, frame)
    items, more = interp.items(left), interp.items(right)
    if isinstance(op, ast.Add) and items is not None and more is not None:
        if isinstance(left, Tuple):
            return Tuple(tuple(items + more))
        return interp.new_list(tuple(items + more))
    if isinstance(op, ast.Mult) and items is not None and isinstance(right, Const):
        if isinstance(right.value, int) and isinstance(left, ListRef):
            return interp.new_list(tuple(items * right.value))
        return Tuple(tuple(items * right.value)) if isinstance(right.value, int) else UNKNOWN
    return arrays.binary(op, left, right)


def unary(interp: Interpreter, op: ast.unaryop, value: Value, node: ast.AST, frame: Frame) -> Value:
    if isinstance(value, Tensor):
        return interp.keras.tensor_operator(op, value, None, node, frame)
    if isinstance(op, ast.Not):
        truth = interp.truth(value)
        return Sym(type="bool") if truth is None else Const(not truth)
    if isinstance(value, Const) and isinstance(value.value, int | float):
        if isinstance(op, ast.USub):
            return Const(-value.value)
        return value
    if isinstance(value, Array):
        return value
    return Sym(type=getattr(value, "type", None)) if isinstance(value, Sym) else UNKNOWN


def compare(interp: Interpreter, node: ast.Compare, frame: Frame) -> Value:
    left = interp.eval(node.left, frame)
    rights = [interp.eval(c, frame) for c in node.comparators]
    if len(rights) == 1 and isinstance(left, Tensor):
        if isinstance(node.ops[0], ast.Is | ast.IsNot) and rights[0] == NONE:
            return Const(isinstance(node.ops[0], ast.IsNot))
        return interp.keras.tensor_operator(node.ops[0], left, rights[0], node, frame)
    if len(rights) != 1:
        return Sym(type="bool")
    return arrays.compare(node.ops[0], left, rights[0])


def boolean(interp: Interpreter, op: ast.boolop, values: list[Value]) -> Value:
    truths = [interp.truth(v) for v in values]
    stop = isinstance(op, ast.Or)
    for value, truth in zip(values, truths, strict=True):
        if truth is None:
            return Sym(type="bool")
        if truth is stop:
            return value
    return values[-1]


def subscript(
    interp: Interpreter, owner: Value, index: ast.expr, node: ast.Subscript, frame: Frame
) -> Value:
    if isinstance(owner, Tensor | ModelRef | History | Obj):
        return interp.keras.subscript(owner, index, node, frame)
    if isinstance(index, ast.Slice):
        bounds = [
            interp.eval(p, frame) if p else NONE for p in (index.lower, index.upper, index.step)
        ]
        items = interp.items(owner)
        plain = [
            b.value for b in bounds if isinstance(b, Const) and isinstance(b.value, int | None)
        ]
        if items is not None and len(plain) == 3:
            part = tuple(items[slice(*plain)])
            return Tuple(part) if isinstance(owner, Tuple) else interp.new_list(part)
        return arrays.index(owner, [bounds])
    if isinstance(index, ast.Tuple):
        keys: list[Any] = []
        for element in index.elts:
            if isinstance(element, ast.Slice):
                parts = (element.lower, element.upper, element.step)
                keys.append([interp.eval(p, frame) if p else NONE for p in parts])
            else:
                keys.append(interp.eval(element, frame))
        return arrays.index(owner, keys)
    key = interp.eval(index, frame)
    items = interp.items(owner)
    content = interp.heap[owner.id] if isinstance(owner, ListRef) else None
    if isinstance(content, dict):
        return content.get(key.value, UNKNOWN) if isinstance(key, Const) else UNKNOWN
    if items is not None:
        if (
            isinstance(key, Const)
            and isinstance(key.value, int)
            and -len(items) <= key.value < len(items)
        ):
            return items[key.value]
        return UNKNOWN
    if isinstance(owner, Instance):
        return calls.call_method(interp, owner, "__getitem__", [key])
    return arrays.index(owner, [key])


def is_range(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
    )
