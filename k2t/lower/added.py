"""``model.add_loss``: in the step the statements of the script make the loss."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import AddedLoss, Leaf, Model
from k2t.ir.source import Span
from k2t.ir.torch import Line, ModuleClass, Step
from k2t.lower import naming
from k2t.lower.brackets import arithmetic
from k2t.lower.edits import Edits
from k2t.lower.graph import Graph
from k2t.lower.inplace import text_of
from k2t.lower.model import Draft
from k2t.lower.ops import Context

OWN = {"self", "batch", "batch_idx", "prefix", "logs"}
"""Names that the step has itself."""


def with_added_loss(edits: Edits, made: Draft, cls: ModuleClass) -> ModuleClass:
    """The class with the step that computes the loss which the script adds.

    Raises:
        NotMigrated: a statement of it has something that is no operation.
    """
    added = made.model.added
    if added is None or cls.step is None:
        return cls
    name = naming.input_name(made.model, 0, made.model.inputs[0])
    lines = [*tensors(edits.ctx, made.model, added)]
    for span in added.statements:
        lines += statement(edits, added, span)
    result = text_of(edits, added.result)
    check_names(edits, added, added.result)
    penalty = " + self.penalty()" if cls.penalty else ""
    if result != "loss" or penalty:
        lines.append(Line(f"loss = {result}{penalty}"))
    logs = (("loss", "loss"),)
    step = Step(f"({name},)", tuple(lines), logs)
    if edits.ctx.dialect == "tf_keras":  # it counts the rows of targets, of which there are none
        step = replace(step, logs=(), means=logs)
    return replace(cls, step=step)


def tensors(ctx: Context, model: Model, added: AddedLoss) -> Iterator[Line]:
    """The lines that compute what the loss is made from, under the names it has there."""
    wanted = {node: name for name, node in added.reads}
    inputs = {node.id for node in model.inputs}
    outputs = tuple(node for node in wanted if node not in inputs)
    body = (*model.body, *(Leaf((node,)) for node in added.nodes))
    named = tuple(named_as(item, wanted) if isinstance(item, Leaf) else item for item in body)
    if outputs:
        graph = Graph(
            ctx, replace(model, body=named, outputs=outputs, output_kind="list"), frozenset()
        )
        graph.lower()
        yield from graph.lines[:-1]
    for node, name in wanted.items():
        if node in inputs:
            text = naming.input_name(model, 0, model.inputs[0])
        else:
            flow = graph.flows.get(node)
            if flow is None:
                why = "add_loss is not carried over: it reads what a loop makes"
                raise NotMigrated("K2T305", why, added.result)
            first = flow.layout == "first" and (flow.rank or 0) > 1
            text = graph.converted(flow.text, flow.rank, "last")[0] if first else flow.text
        if text != name:
            yield Line(f"{name} = {text}")


def named_as(leaf: Leaf, wanted: dict[int, str]) -> Leaf:
    def renamed(node: Node) -> Node:
        return replace(node, names=(wanted[node.id],)) if node.id in wanted else node

    return replace(leaf, seen=tuple(map(renamed, leaf.seen)))


def statement(edits: Edits, added: AddedLoss, span: Span) -> Iterator[Line]:
    """A statement of the script with its operations rewritten, a line each."""
    check_names(edits, added, span)
    column = edits.program.source.column_of(span.start) - 1
    text = textwrap.dedent(" " * column + text_of(edits, span))
    return (Line(line) for line in assigned(text, span).splitlines())


SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: " + ", ast.Sub: " - ", ast.Mult: " * ", ast.Div: " / ",
}  # fmt: skip


def assigned(text: str, span: Span) -> str:
    """Statements in which ``x *= 2`` makes a new tensor, as in Keras: torch's would change x.

    Raises:
        NotMigrated: with another operator.
    """
    data = text.encode()
    starts = list(accumulate((len(line) + 1 for line in data.split(b"\n")), initial=0))
    found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.AugAssign)]
    for node in sorted(found, key=lambda n: n.lineno, reverse=True):
        if type(node.op) not in SYMBOLS or not isinstance(node.target, ast.Name):
            raise NotMigrated("K2T305", "add_loss is not carried over: an assignment", span)
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        value = ast.get_source_segment(text, node.value) or ""
        made = arithmetic(SYMBOLS[type(node.op)], [node.target.id, value])
        data = data[:start] + f"{node.target.id} = {made}".encode() + data[end:]
    return data.decode()


def check_names(edits: Edits, added: AddedLoss, span: Span) -> None:
    """Refuse what is of Keras and no operation on tensors: layers, variables, functions."""
    program = edits.program
    operations = [u.call for u in program.uses if u.kind in ("operation", "constant")]
    own = {name for name, _ in added.reads} | set(added.makes)
    for leftover in program.leftovers:
        inside = leftover.span in span and not any(leftover.span in o for o in operations)
        if inside and leftover.path not in own:
            raise NotMigrated(
                "K2T305", f"add_loss is not carried over: it reads {leftover.path}", leftover.span
            )
    if OWN & own or '"""' in program.source.slice(span):
        raise NotMigrated("K2T305", "add_loss is not carried over: its names", span)
