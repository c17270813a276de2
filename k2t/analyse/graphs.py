"""The graphs of a functional model: of all calls of the function that builds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from k2t.analyse.added import beyond_a_model
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.lambdas import check_closures
from k2t.analyse.sources import all_comments
from k2t.analyse.state import GraphNode, ModelState
from k2t.analyse.trace import Tangled
from k2t.ir.nodes import Node
from k2t.ir.program import Item, Leaf, Variant
from k2t.ir.source import Span
from k2t.ir.values import Dim

if TYPE_CHECKING:
    from k2t.analyse.models import Builder

Place = tuple[int, "Span | None", "str | None"]
"""What the same node of another instance has in common: its statement, what made it, and how."""


def graphs(builder: Builder) -> list[Variant]:
    """The first instance with those that have the same layers, then the others in such groups.

    Raises:
        Tangled: a graph is not known, or they differ where no function becomes a class.
    """
    alike: dict[tuple[Place, ...], list[tuple[ModelState, list[int]]]] = {}
    for model in builder.group:
        order = nodes_of(builder.interp, model)
        places = tuple(place(builder.interp.graph[i]) for i in order)
        alike.setdefault(places, []).append((model, order))
    if len(alike) > 1 and builder.home_class is None:
        raise Tangled
    found = [graph(builder, group) for group in alike.values()]
    if any(ends(one) != ends(found[0]) for one in found):
        raise Tangled("its inputs or outputs differ from call to call")
    return found


def graph(builder: Builder, group: Sequence[tuple[ModelState, list[int]]]) -> Variant:
    """Instances with the same layers, node by node."""
    made = builder.interp.graph
    items: list[Item] = []
    done: set[int] = set()
    for column in zip(*(order for _, order in group), strict=True):
        stmt = made[column[0]].stmt
        comments: tuple[str, ...] = ()
        if id(stmt) not in done:
            comments = all_comments(builder.interp, stmt)
            done.add(id(stmt))
        items.append(Leaf(tuple(builder.graph_node(made[i]) for i in column), comments))
    if builder.home_class is not None:
        items = [*builder.plain_statements(), *items]
    first = group[0][0]
    inputs = tuple(builder.graph_node(made[i]) for i in first.inputs)
    values = tuple(builder.given(model) for model, _ in group)
    return Variant(tuple(items), inputs, first.outputs, values)


def place(made: GraphNode) -> Place:
    made_by = made.layer or made.operation
    return id(made.stmt), made_by.span if made_by else None, made.operator


def ends(one: Variant) -> list[list[object] | None]:
    """The shapes of what goes in and comes out, as the class has them."""
    nodes = {i.node.id: i.node for i in one.body if isinstance(i, Leaf)}
    nodes |= {node.id: node for node in one.inputs}
    found: list[Node] = [*one.inputs, *(nodes[i] for i in one.outputs if i in nodes)]
    return [None if node.shape is None else list(map(size, node.shape)) for node in found]


def size(dim: Dim) -> object:
    expr = getattr(dim, "expr", None)
    return expr.text if expr is not None else dim


def nodes_of(interp: Interpreter, model: ModelState) -> list[int]:
    """The nodes between a model's inputs and outputs, in the order they were made."""
    graph = interp.graph
    reachable: set[int] = set()
    stack = list(model.outputs)
    while stack:
        current = stack.pop()
        if current not in reachable:
            reachable.add(current)
            if current not in model.inputs:
                stack.extend(graph[current].inputs)
    order = sorted(reachable - set(model.inputs))
    if any(not graph[i].inputs for i in order):
        raise Tangled
    if any(beyond_a_model(interp, i) for i in order):
        raise Tangled("an operation over the batch, or a loss, is inside it")
    check_closures(interp, order)
    return order
