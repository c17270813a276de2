"""``model.add_loss(tensor)``: the statements that make the loss, and the tensors they start from.

The statements move into the step of the module; what they read of the model's graph is there.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.analyse import arguments, calls, custom, graph, scored
from k2t.analyse.state import Event, Frame, ModelState, statements
from k2t.ir.program import AddedLoss, Leaf, Model
from k2t.ir.values import NONE, UNKNOWN, Const, Function, Instance, Tensor, Value

if TYPE_CHECKING:
    from k2t.analyse.interpreter import Interpreter
    from k2t.analyse.models import Builder
    from k2t.analyse.statements import Layout

DIFFERS = ("Model", "Custom", "BatchNormalization")
"""Layers that may give other values when they are computed again."""


def add_loss(interp: Interpreter, model: ModelState, node: ast.Call, frame: Frame) -> Value:
    """The call, where it is a statement of its own about one tensor."""
    values = arguments.evaluated(interp, node, frame)
    alone = isinstance(interp.stmt, ast.Expr) and interp.stmt.value is node
    if not alone or len(values) != 1 or not isinstance(values[0], Tensor) or node.keywords:
        return interp.unsupported("model.add_loss", node, frame)
    interp.event("add_loss", node, frame, model=model.id, value=values[0], frame_=frame)
    return NONE


def either(interp: Interpreter, one: Value, other: Value) -> Value | None:
    """A loss that a condition chooses; None where the values are something else."""
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return None
    made = [interp.graph[v.node] for v in (one, other)]
    losses = all(m.operation is not None and m.operation.row.startswith("losses.") for m in made)
    if not losses or made[0].shape != made[1].shape or made[0].whole != made[1].whole:
        return None
    node = interp.stmt
    return graph.new_node(
        interp, None, [one, other], made[0].shape, node, interp.module, operator="if"
    )


def beyond_a_model(interp: Interpreter, node: int) -> bool:
    """Whether only a loss can have this node: its batch is gone, or Keras's own loss made it."""
    made = interp.graph[node]
    loss = made.operation is not None and made.operation.row.startswith("losses.")
    return made.whole or loss or made.operator == "if"


class Moved:
    """The statements behind one ``add_loss`` of a model."""

    def __init__(self, interp: Interpreter, layout: Layout, model: ModelState, event: Event):
        self.interp = interp
        self.layout = layout
        self.model = model
        self.event = event
        self.flow = flow(interp, model)
        self.reads: dict[str, int] = {}
        self.problem: str | None = None
        self.statements: list[ast.stmt] = []
        self.collect()

    def collect(self) -> None:
        stmt = self.event.stmt
        block = next(b for b in blocks(self.interp.tree) if any(s is stmt for s in b))
        assert isinstance(self.event.node, ast.Call)
        needed = self.wanted(self.event.node.args[0])
        place = next(i for i, s in enumerate(block) if s is stmt)
        for before in reversed(block[:place]):
            if not set(stored_in(before)) & needed:
                continue
            needed -= always_stored([before])
            self.statements.insert(0, before)
            needed |= self.wanted(before)
        if needed:
            self.problem = f"where {min(needed)} comes from is not seen"
        for one in self.statements:
            self.check_used(one)
        made = self.interp.graph[self.event["value"].node]
        if not made.whole or made.shape != ():
            self.problem = self.problem or "it is not one number"

    def wanted(self, code: ast.AST) -> set[str]:
        """The variables that a piece of code reads and other statements of the loss must make."""
        found: set[str] = set()
        for node in ast.walk(code):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            value = self.interp.loads.get(id(node), (node, None, UNKNOWN))[2]
            if isinstance(value, Tensor):
                if value.node not in self.flow:
                    found.add(node.id)
                elif self.reads.setdefault(node.id, value.node) != value.node:
                    self.problem = f"{node.id} is several tensors in it"
            elif isinstance(value, Function):
                self.problem = f"it calls {node.id}, a function of the script"
            elif self.loses(node.id, value):
                self.problem = f"{node.id}, which it reads, is bound in a function, or again later"
        return found

    def loses(self, name: str, value: Value) -> bool:
        frame: Frame = self.event["frame_"]
        return not isinstance(value, Tensor) and not scored.lasting(self.interp, name, frame)

    def check_used(self, stmt: ast.stmt) -> None:
        """A statement that moves must make nothing but the loss."""
        inside = [*self.statements, self.event.stmt]
        made = set(stored_in(stmt))
        plain = (ast.Assign, ast.AugAssign, ast.If)
        if any(not isinstance(s, plain) for s in statements([stmt])):
            self.problem = self.problem or "it is made by other statements than assignments"
        nodes = {id(n) for s in inside for n in ast.walk(s)}
        for node, _, value in self.interp.loads.values():
            if node.id in made and id(node) not in nodes and isinstance(value, Tensor):
                self.problem = self.problem or f"{node.id}, which it makes, is read elsewhere"

    def loss(self) -> AddedLoss:
        spans = self.interp.spans
        assert isinstance(self.event.node, ast.Call)
        for name, node in self.reads.items():
            if name in {n for s in self.statements for n in stored_in(s)}:
                self.problem = self.problem or f"{name} is a tensor of the model and of the loss"
            if self.flow[node] is None:
                self.problem = self.problem or f"Keras draws {name} again for it"
        return AddedLoss(
            spans.of(self.event.node),
            tuple(self.layout.with_comments(s) for s in self.statements),
            spans.of(self.event.node.args[0]),
            tuple((name, self.flow[node] or 0) for name, node in self.reads.items()),
            tuple({n for s in self.statements for n in stored_in(s)}),
            self.problem,
        )


def always_stored(body: list[ast.stmt]) -> set[str]:
    """The variables that a block binds, whichever way it goes."""
    found: set[str] = set()
    for stmt in body:
        if isinstance(stmt, ast.Assign):
            found |= set(stored_in(stmt))
        elif isinstance(stmt, ast.If):
            found |= always_stored(stmt.body) & always_stored(stmt.orelse)
    return found


def stored_in(stmt: ast.stmt) -> Iterator[str]:
    return (
        n.id for n in ast.walk(stmt) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )


def blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    for stmt in statements(tree.body):
        for name in ("body", "orelse", "finalbody"):
            yield getattr(stmt, name, [])


def flow(interp: Interpreter, model: ModelState) -> dict[int, int | None]:
    """Each tensor that a model computes, and the node of its graph that has it.

    The outputs of a model used as a layer are also those of its own graph, where it is applied to
    the same inputs; None: it is random, so that Keras draws it twice.
    """
    order: set[int] = set()
    stack = list(model.outputs)
    while stack:
        current = stack.pop()
        if current not in order:
            order.add(current)
            stack += () if current in model.inputs else interp.graph[current].inputs
    found: dict[int, int | None] = {i: i for i in order | set(model.inputs)}
    for node in sorted(order):
        made = interp.graph[node]
        if made.layer is None or made.layer.row != "Model":
            continue
        part = interp.models[made.layer.args["model"].value.id]  # type: ignore[union-attr]
        if made.inputs != part.inputs or part.output_kind not in ("one", "list"):
            continue
        for number, output in enumerate(part.outputs):
            same = node if part.output_kind == "one" else taker(interp, node, number)
            found.setdefault(output, None if random(interp, output) else same)
    return found


def taker(interp: Interpreter, node: int, number: int) -> int | None:
    """The node that is one of several outputs."""
    takes = (
        i for i, made in interp.graph.items()
        if made.inputs == (node,) and made.operator == f"[{number}]"
    )  # fmt: skip
    return next(takes, None)


def random(interp: Interpreter, node: int) -> bool:
    """Whether a tensor has chance in it."""
    rows = interp.table.rows
    stack, seen = [node], set[int]()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        made = interp.graph[current]
        name = made.operation.row if made.operation is not None else ""
        if "." not in name and name and rows["ops"][name].get("random"):
            return True
        layer = made.layer.row if made.layer is not None else ""
        if layer in DIFFERS or "Dropout" in layer or "Noise" in layer:
            return True
        stack.extend(made.inputs)
    return False


def added_losses(interp: Interpreter, layout: Layout) -> dict[int, AddedLoss]:
    """The losses that the script adds to its models, by model."""
    found: dict[int, AddedLoss] = {}
    for number, event in enumerate(interp.events):
        if event.kind != "add_loss":
            continue
        model = interp.models[event["model"]]
        loss = Moved(interp, layout, model, event).loss()
        before = interp.events[:number]
        if model.id in found:
            loss = replace(loss, problem="add_loss is called several times")
        if any(e.kind == "compile" and e["model"] == model.id for e in before):
            loss = replace(loss, problem="the model is compiled before it")
        found[model.id] = loss
    return found


def used(
    interp: Interpreter, kinds: Collection[str], added: Collection[AddedLoss]
) -> Iterator[Event]:
    """The events of these kinds; operations on a model's tensors are where they make its loss."""
    moved = [s for one in added for s in (*one.statements, one.span)]
    for event in interp.events:
        inside = any(interp.spans.of(event.node) in s for s in moved)
        if event.kind == "tensor_operation" and inside:
            yield replace(event, kind="operation")
        elif event.kind in kinds:
            yield event


def with_nodes(builder: Builder, added: AddedLoss | None, model: Model) -> AddedLoss | None:
    """The loss that is added to a model, with the nodes that it alone reads."""
    if added is None or added.problem or model.problem:
        return added
    there = {i.node.id for i in model.body if isinstance(i, Leaf)}
    there |= {node.id for node in model.inputs}
    others = [node for _, node in added.reads if node not in there]
    return replace(added, nodes=tuple(builder.graph_node(builder.interp.graph[i]) for i in others))


def in_layer(
    interp: Interpreter, layer: Instance, name: str, node: ast.Call, frame: Frame
) -> Value:
    """``self.add_loss(value)`` or ``add_metric(value, name=...)`` as a statement of ``call``."""
    value = interp.eval(node.args[0], frame) if len(node.args) == 1 else UNKNOWN
    found = calls.method_of(interp, layer.cls, "call")
    body = found[0].body if found is not None else []
    alone = any(isinstance(s, ast.Expr) and s.value is node for s in body)
    single = isinstance(value, Tensor) and interp.graph[value.node].shape == ()
    said = {k.arg: interp.eval(k.value, frame) for k in node.keywords}
    if name == "add_metric" and said.get("aggregation", Const("mean")) in (Const("mean"), NONE):
        said.pop("aggregation", None)
    called = said.pop("name", NONE) if name == "add_metric" else NONE
    known = isinstance(called, Const) and str(called.value).isidentifier()
    if not alone or not single or said or (name == "add_metric" and not known):
        why = "a condition or loop" if not alone else "a value that is not known to be one number"
        custom.refuse(interp, layer.cls, f"{name} in its methods, with {why}", node)
    elif name == "add_loss":
        interp.event("layer_loss", node, frame, value=node.args[0])
    elif isinstance(called, Const):
        interp.event("layer_metric", node, frame, value=node.args[0], name=str(called.value))
    return NONE
