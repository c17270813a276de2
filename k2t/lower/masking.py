"""The lines of a graph's forward that make masks and hand them to the layers that use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Model
from k2t.ir.torch import Line
from k2t.ir.values import NONE, Array, Function, Instance, as_int
from k2t.lower import masks, packing
from k2t.lower import text as t
from k2t.lower.ops import Op
from k2t.lower.targets import Output

if TYPE_CHECKING:
    from k2t.lower.graph import Graph
    from k2t.lower.metrics import Metric


def find(graph: Graph, nodes: Sequence[Node]) -> None:
    """Which tensors have a mask, but for those that one packed layer uses alone."""
    found = masks.followed(graph.ctx, nodes)
    packed = set(graph.padded.values())
    graph.masks = {i: mask for i, mask in found.items() if mask.tensor not in packed}
    graph.attends = bool(masks.attended(nodes, found))
    wanted = [mask for n in nodes for mask, _ in masks.used(graph.ctx, n, graph.masks)]
    graph.tests = {mask: graph.own("mask") for mask in dict.fromkeys(wanted)}


def tell(graph: Graph, node: Node) -> None:
    """The line that makes a mask, in front of the layer that Keras makes it in."""
    made = masks.start(node.layer) or masks.said(node)
    mask = graph.masks.get(node.id) if made else None
    name = graph.tests.get(mask) if mask is not None else None
    if mask is None or name is None or any(x.text.startswith(f"{name} = ") for x in graph.lines):
        return
    flow = graph.flows[mask.tensor]
    text = flow.text
    if flow.layout == "first" and (flow.rank or 0) > 1:
        text, flow.layout = graph.converted(text, flow.rank, "last")[0], "last"
    if not text.isidentifier():
        flow.text = graph.own("sequence")
        graph.lines.append(Line(f"{flow.text} = {text}"))
    graph.lines.append(Line(f"{name} = {mask.test.replace('{x}', flow.text)}"))


def given(graph: Graph, node: Node) -> dict[str, str]:
    """The mask that a layer uses, by the name its texts have for it."""
    return masks.handed(graph.ctx, node, graph.masks, graph.tests)


def of_output(graph: Graph) -> str | None:
    """Where the steps of the output count, as a test of what the model is given.

    "?": they do, and the model's input alone does not tell.
    """
    found = [graph.masks[tensor] for tensor in graph.model.outputs if tensor in graph.masks]
    if not found:
        return None
    places = {node.id: number for number, node in enumerate(graph.model.inputs)}
    if len(graph.model.outputs) > 1 or found[0].tensor not in places:
        return "?"
    if graph.attends and graph.ctx.dialect == "keras3":
        return "?"  # it takes masks off tensors, and the loss looks for them there
    several = len(places) > 1 or graph.model.input_kind == "list"
    text = f"x[{places[found[0].tensor]}]" if several else "x"
    return "?" if graph.model.input_kind == "dict" else found[0].test.replace("{x}", text)


def counted(
    model: Model, test: str, output: Output, y: Array | None, more: bool
) -> tuple[Output, Array | None]:
    """Output and targets of the steps that count: one row each, without the axis of the steps.

    Raises:
        NotMigrated: the loss is none that a mask is carried into.
    """
    loss = t.get(model.compile.args, "loss") if model.compile is not None else NONE
    why = "that is made inside the model" if test == "?" else ""
    why = "that the script defines" if isinstance(loss, Function | Instance) else why
    why = "with weights, of several outputs or added" if more or model.added else why
    if y is not None and y.shape is not None and output.shape is not None:
        given = as_int(y.shape[1]) if len(y.shape) > 1 else 0
        steps = as_int(output.shape[0])
        why = "its targets have no steps" if None not in (given, steps) and given != steps else why
        y = replace(y, shape=(None, *y.shape[2:]))
    if why:
        raise NotMigrated("K2T114", f"the mask of mask_zero reaches a loss: {why}", model.span)
    return replace(output, shape=output.shape[-1:] if output.shape else None), y


def check_metrics(metrics: Sequence[Metric], masked: str | None, model: Model) -> None:
    """Refuse metrics that count over the epoch: of them Keras counts the padding, too.

    Raises:
        NotMigrated: there is one.
    """
    if masked is not None and any(m.object is not None for m in metrics):
        why = "the mask of mask_zero reaches a metric that is no mean, where Keras does not heed it"
        raise NotMigrated("K2T114", why, model.span)


# ---------------------------------------------------------------------- packed


def sort_padding(graph: Graph) -> None:
    """Inputs with masks have their padding at the end, for packing."""
    for tensor in dict.fromkeys(graph.padded.values()):
        ids, lengths = graph.flows[tensor].text, graph.own("lengths")
        why = () if graph.lengths else packing.WHY
        graph.lengths[tensor] = lengths
        graph.lines += packing.pushed_to_the_end(ids, graph.own("padding"), lengths, why)


def packed(graph: Graph, node: Node, op: Op, attribute: str, text: str) -> str:
    """The last output of a recurrent layer that skips padding."""
    lengths = graph.lengths[graph.padded[node.id]]
    options = "batch_first=True, enforce_sorted=False"
    name = graph.own("packed")
    graph.lines.append(Line(f"{name} = pack_padded_sequence({text}, {lengths}, {options})"))
    if op.lines:
        return name
    h = graph.own("h")
    state = f"_, ({h}, _)" if "nn.LSTM" in (op.module or "") else f"_, {h}"
    graph.lines.append(Line(f"{state} = self.{attribute}({name})"))
    return f"{h}[-1]"
