"""``Lambda`` layers: what their function does to tensors is followed by calling it on some."""

from __future__ import annotations

import ast

from k2t.analyse import calls, custom, operations, shapes
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.state import Frame, GraphNode, versions_of
from k2t.analyse.trace import Tangled
from k2t.ir.values import (
    NONE,
    Arg,
    Const,
    Function,
    ListRef,
    NameUse,
    Obj,
    Ref,
    Shape,
    Tensor,
    Value,
)
from k2t.table import Row

CARRIED = ("function", "output_shape", "arguments", "name", "input_shape", "dtype")
"""``output_shape`` only declares what the function gives anyway."""


def apply(interp: Interpreter, layer: Obj, inputs: Value, node: ast.AST, frame: Frame) -> Value:
    """The result of a Lambda on tensors: what its function makes of them."""
    function = layer.args["function"].value
    odd = [
        n for n, a in layer.args.items() if n not in CARRIED and a.value not in (NONE, Const(True))
    ]
    if odd:
        return interp.unsupported(f"Lambda({odd[0]}=...)", node, frame)
    if isinstance(function, Ref):
        return operations.by_path(interp, function.path, inputs, node, frame)
    given = layer.args.get("arguments", Arg(NONE)).value
    content = interp.heap.get(given.id) if isinstance(given, ListRef) else None
    keywords = {str(k): v for k, v in content.items()} if isinstance(content, dict) else {}
    if not isinstance(function, Function) or (given != NONE and not isinstance(content, dict)):
        return interp.unsupported("a Lambda whose function is not known", node, frame)
    before, guesses = interp.counter, interp.guesses
    result = calls.call_function(interp, function.index, [inputs], keywords)
    if any(made.layer is not None for i, made in interp.graph.items() if i > before):
        return interp.unsupported("a Lambda that applies layers", node, frame)
    if interp.guesses > guesses:
        return interp.unsupported("a Lambda whose conditions or loops are not known", node, frame)
    if not isinstance(result, Tensor):
        return interp.unsupported("a Lambda whose result is not known", node, frame)
    uses = free_variables(interp, function.index)
    interp.closures[result.node] = (*interp.closures.get(result.node, ()), *uses)
    return result


def free_variables(interp: Interpreter, index: int) -> tuple[NameUse, ...]:
    """The variables around a function that it reads, as they are now."""
    definition, home = interp.definitions[index]
    assert isinstance(definition, ast.Lambda | ast.FunctionDef)
    own = {a.arg for a in ast.walk(definition.args) if isinstance(a, ast.arg)}
    found: dict[str, NameUse] = {}
    for node in ast.walk(definition):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in own:
            owner = home.owner(node.id)
            if owner is not None:
                version = owner.versions.get(node.id, 0)
                found[node.id] = NameUse(node.id, owner.id, version)
    return tuple(found.values())


def changed(interp: Interpreter, node: int) -> bool:
    """Whether a variable that a Lambda reads is bound again later: Keras calls the function
    again when it trains, and reads what the variable is then."""
    return any(
        interp.frames[use.frame].versions.get(use.name, 0) != use.version
        for use in interp.closures.get(node, ())
    )


def check_closures(interp: Interpreter, nodes: list[int]) -> None:
    """Refuse a Lambda that may compute something else when the model trains.

    Raises:
        Tangled: there is one.
    """
    if any(changed(interp, node) for node in nodes):
        raise Tangled("a Lambda reads a variable that is bound again later")


def result_of(
    interp: Interpreter, row: Row, layer: Obj, shape: Shape | None, stmt: ast.stmt
) -> tuple[Shape | None, list[GraphNode]]:
    """The output shape of a layer in a Sequential, and what it does if it is a Lambda."""
    if row.name == "Custom":
        return custom.traced(interp, layer, shape, stmt), []
    if row.name != "Lambda":
        return shapes.result(row, layer, [shape], interp.items), []
    body = traced(interp, layer, shape, stmt)
    return body[-1].shape, body


def traced(interp: Interpreter, layer: Obj, shape: Shape | None, stmt: ast.stmt) -> list[GraphNode]:
    """What a Lambda in a Sequential does, from the tensor that it gets on.

    Raises:
        Tangled: it is not known.
    """
    if shape is None:
        raise Tangled("the shape of what a Lambda gets is not known")
    outer, interp.stmt = interp.stmt, stmt
    start = GraphNode(interp.fresh(), None, (), shape, stmt, 0, (), versions_of(interp.module))
    interp.graph[start.id] = start
    result = apply(interp, layer, Tensor(start.id), stmt, interp.module)
    interp.stmt = outer
    if not isinstance(result, Tensor) or result.node == start.id:
        raise Tangled("what a Lambda does is not known")
    check_closures(interp, [result.node])
    order: set[int] = set()
    stack = [result.node]
    while stack:
        current = stack.pop()
        if current not in order:
            order.add(current)
            stack.extend(interp.graph[current].inputs)
    if min(order) != start.id or any(interp.graph[i].layer is not None for i in order):
        raise Tangled("a Lambda that uses layers or other tensors")
    return [interp.graph[i] for i in sorted(order)]
