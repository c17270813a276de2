"""Layers with several outputs: parts of a model, and recurrent layers that hand back states.

torch's states have an axis for layers and directions in front of Keras's. They keep it on the way
from one recurrent layer to the next, and lose it where anything else reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.torch import Line
from k2t.ir.values import Obj, as_int
from k2t.lower import masking, masks, tensors
from k2t.lower import text as t
from k2t.lower.groups import fill
from k2t.lower.ops import Context, located
from k2t.lower.recurrent import MERGES, WRAPPER, inner_layer
from k2t.lower.recurrent import applied as applied_to

if TYPE_CHECKING:
    from k2t.lower.graph import Flow, Graph


def takers(nodes: Sequence[Node]) -> dict[int, list[Node]]:
    """The outputs that are read of each node that has several, by that node."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        if (node.operator or "").startswith("["):
            found.setdefault(node.inputs[0], []).append(node)
    return found


def number_of(taker: Node) -> int:
    return int((taker.operator or "")[1:-1])


def names(
    ctx: Context, nodes: Sequence[Node], found: Mapping[int, Sequence[Node]]
) -> tuple[dict[int, str], set[int]]:
    """Names for outputs that the script does not name, and what needs no variable of its own."""
    stems: dict[int, str] = {}
    skipped = set(found)
    for node in nodes:
        for taker in found.get(node.id, ()):
            number = number_of(taker)
            stems[taker.id] = "x"
            if stateful(ctx, node):
                assert node.layer is not None
                stems[taker.id] = ("x", "h", "c")[min(number, 2)]
                if node.layer.row == "Bidirectional" and number > 0:
                    skipped.add(taker.id)  # h[0], h[1]
    return stems, skipped


def stateful(ctx: Context, node: Node) -> bool:
    """Whether a recurrent layer is given its first states, or hands back its last."""
    if node.layer is None:
        return False
    inner = inner_layer(node.layer)
    recurrent = ctx.row(inner).get("states") is not None
    return recurrent and (len(node.inputs) > 1 or t.flag(inner.args, "return_state"))


def lower_whole(
    graph: Graph, node: Node, chosen: Mapping[int, str], comments: tuple[str, ...]
) -> None:
    """A node with several outputs: one line that takes it apart."""
    if stateful(graph.ctx, node):
        with_states(graph, node, chosen, comments)
        return
    made = node.layer or node.operation
    assert made is not None
    if node.operation is not None:
        with located(node.operation.span):
            text, _ = tensors.lowered(graph.ctx, node, node.operation, graph.wires(node))
        note, has_module = "", False
    else:
        text, _, _, note, has_module = graph.layer(node, comments)
    found = {number_of(taker): taker for taker in graph.takers[node.id]}
    count = as_int(t.get(made.args, "outputs")) or 1
    targets = [chosen[found[i].id] if i in found else "_" for i in range(count)]
    above = graph.waiting + (() if has_module else comments)
    graph.waiting = ()
    graph.lines.append(Line(f"{', '.join(targets)} = {text}", note, above))
    for taker in found.values():
        graph.put(taker, chosen[taker.id])


def applied(graph: Graph, node: Node, comments: tuple[str, ...]) -> tuple[str, str, bool]:
    """The call of a recurrent layer, with its states: its text, a remark, whether it is new."""
    layer = node.layer
    assert layer is not None
    flow = graph.flows[node.inputs[0]]
    ops = graph.operations(node)
    told = masking.given(graph, node)
    known, base = graph.knows(layer), graph.attributes[layer.id]
    text, note = flow.text, ""
    if flow.layout == "first" and (flow.rank or 0) > 1:
        text, note = graph.converted(text, flow.rank, "last")
    for op in ops[:-1]:  # dropout, which is the same at every step
        attribute = f"{base}_{op.stem}"
        graph.make(attribute, layer, op, known, ())
        first, _ = graph.converted(text, 2, "first")
        text, _ = graph.converted(f"self.{attribute}({first})", 2, "last")
    graph.make(base, layer, ops[-1], known, comments)
    if t.flag(inner_layer(layer).args, "stateful"):
        raise NotMigrated("K2T190", f"the states of a stateful {layer.row}", layer.span)
    given = states_text(graph, node, layer, ops[-1].module or "")
    if told and given and graph.ctx.dialect == "keras2":
        why = "a mask and first states: Keras 2.2 gives these for steps that are left out at first"
        raise NotMigrated("K2T128", why, layer.span)
    if told and given and not ops[-1].mask:
        why = f"a mask and first states of a {layer.row} that torch's kernel does not compute"
        raise NotMigrated("K2T128", why, layer.span)
    call = applied_to(graph.ctx, masks.told(layer) if told else layer, ops[-1].mask, given)
    return fill(call, {"m": f"self.{base}", "x": text, **told}), note, not known


def without_state(layer: Obj) -> Obj:
    """The layer as it is without ``return_state``: the module is the same."""
    args = {k: a for k, a in layer.args.items() if k != "return_state"}
    inner = args.get("layer")
    if inner is not None and isinstance(inner.value, Obj):
        args["layer"] = replace(inner, value=without_state(inner.value))
    return replace(layer, args=args)


def states_text(graph: Graph, node: Node, layer: Obj, module: str) -> str:
    """The states a layer starts with, as the second argument of its module."""
    flows = [graph.flows[i] for i in node.inputs[1:]]
    if not flows:
        return ""
    if WRAPPER.match(module):
        why = "initial_state of a Bidirectional that torch's kernel does not compute"
        raise NotMigrated("K2T128", why, layer.span)
    inner = inner_layer(layer)
    count = int(graph.ctx.row(inner).data["states"])
    if inner is layer:
        texts = [one_state(flow) for flow in flows]
    else:
        halves = zip(flows[:count], flows[count:], strict=True)
        texts = [f"torch.stack([{ahead.text}, {back.text}])" for ahead, back in halves]
    return f", ({', '.join(texts)})" if count > 1 else f", {texts[0]}"


def one_state(flow: Flow) -> str:
    return flow.state or f"{flow.text}.unsqueeze(0)"


def given_states(graph: Graph, node: Node, comments: tuple[str, ...]) -> tuple[str, str, bool]:
    """A recurrent layer with first states and one output."""
    call, note, has_module = applied(graph, node, comments)
    assert node.layer is not None
    if node.layer.row != "Bidirectional":
        sequences = t.flag(node.layer.args, "return_sequences")
        return call + ("[0]" if sequences else "[0][:, -1]"), note, has_module
    outputs = "outputs" if t.flag(inner_layer(node.layer).args, "return_sequences") else "_"
    outputs = graph.own(outputs) if outputs != "_" else outputs
    h = taken_apart(graph, node, outputs, call, note, comments if not has_module else ())
    return bidirectional_output(node.layer, outputs, h), "", has_module


def with_states(
    graph: Graph, node: Node, chosen: Mapping[int, str], comments: tuple[str, ...]
) -> None:
    """A recurrent layer that hands back its last states."""
    layer = node.layer
    assert layer is not None
    call, note, has_module = applied(graph, node, comments)
    above = graph.waiting + (() if has_module else comments)
    graph.waiting = ()
    found = {number_of(taker): taker for taker in graph.takers[node.id]}
    if layer.row == "Bidirectional":
        sequences = t.flag(inner_layer(layer).args, "return_sequences")
        direct = sequences and t.string(layer.args, "merge_mode") == "concat"
        outputs = "_"
        if 0 in found and sequences:
            outputs = chosen[found[0].id] if direct else graph.own("outputs")
        h = taken_apart(graph, node, outputs, call, note, above)
        for number, taker in found.items():
            if number:
                back, which = divmod(number - 1, len(h))
                graph.put(taker, f"{h[which]}[{back}]")
        if 0 in found:
            text = bidirectional_output(layer, outputs, h)
            name = chosen[found[0].id]
            if text != name:
                graph.lines.append(Line(f"{name} = {text}"))
            graph.put(found[0], name)
        return
    count = int(graph.ctx.row(layer).data["states"])
    sequences = t.flag(layer.args, "return_sequences")
    targets = [chosen[found[i].id] if i in found else "_" for i in range(count + 1)]
    if not sequences:
        targets[0], last = "_", targets[0]
        targets[1] = last if targets[1] == "_" else targets[1]
    states = f"({', '.join(targets[1:])})" if count > 1 else targets[1]
    if set(targets[1:]) == {"_"}:
        states = "_"
    graph.lines.append(Line(f"{targets[0]}, {states} = {call}", note, above))
    for number, taker in found.items():
        name = targets[number]
        if number == 0 and sequences:
            graph.put(taker, name)
        elif number == 0 and 1 in found:
            graph.lines.append(Line(f"{chosen[taker.id]} = {targets[1]}[0]"))
            graph.put(taker, chosen[taker.id])
        else:
            name = targets[max(number, 1)]
            graph.put(taker, f"{name}[0]", state=name)


def taken_apart(
    graph: Graph, node: Node, outputs: str, call: str, note: str, comments: tuple[str, ...]
) -> list[str]:
    """Variables for the states of a Bidirectional, beside that for its outputs."""
    assert node.layer is not None
    inner = inner_layer(node.layer)
    states = ["h", "c"][: int(graph.ctx.row(inner).data["states"])]
    h = [graph.own(state) for state in states]
    listed = f"({', '.join(h)})" if len(h) > 1 else h[0]
    graph.lines.append(Line(f"{outputs}, {listed} = {call}", note, comments))
    return h


def bidirectional_output(layer: Obj, outputs: str, h: Sequence[str]) -> str:
    mode = t.string(layer.args, "merge_mode") or ""
    if t.flag(inner_layer(layer).args, "return_sequences"):
        if mode == "concat":
            return outputs
        ahead, back = (f"{outputs}.chunk(2, -1)[{i}]" for i in (0, 1))
        return fill(MERGES[mode], {"a": ahead, "b": back, "dim": "-1"})
    return fill(MERGES[mode], {"a": f"{h[0]}[0]", "b": f"{h[0]}[1]", "dim": "1"})
