"""Functional models: one forward line per statement of the script, under the script's own names."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Leaf, Model, Plain
from k2t.ir.torch import Entry, Group, Line, Part, Raw
from k2t.ir.values import Obj, as_int
from k2t.lower import masking, masks, naming, packing, several, tensors
from k2t.lower import text as t
from k2t.lower.attention import ATTENTION, named_masks
from k2t.lower.brackets import bracketed, filled, reads_again, repeated
from k2t.lower.dots import dot
from k2t.lower.groups import Chain, fill, join_notes, to_last
from k2t.lower.layers import lower
from k2t.lower.masks import Mask
from k2t.lower.merges import joined
from k2t.lower.ops import Context, Op, dim_text, located
from k2t.lower.parts import called_with, handed_on, parts_first, shared_module, unpacked
from k2t.lower.pieces import NAMES, TO_FIRST, TO_LAST
from k2t.lower.wires import words


@dataclass
class Flow:
    """A tensor in ``forward``: the expression that holds it, its layout and rank.

    ``state`` is the state of a recurrent layer that it was taken from, in torch's form.
    """

    text: str
    layout: str
    rank: int | None
    state: str | None = None


@dataclass
class Graph:
    """Lowers the nodes of a functional model."""

    ctx: Context
    model: Model
    folded: frozenset[int]
    hidden: bool = False
    groups: list[Group | Part] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    paths: list[tuple[str, Op, Obj]] = field(default_factory=list)
    flows: dict[int, Flow] = field(default_factory=dict)
    attributes: dict[int, str] = field(default_factory=dict)
    takers: dict[int, list[Node]] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    named: set[str] = field(default_factory=set)
    spares: set[str] = field(default_factory=set)
    others: dict[int, tuple[Node, ...]] = field(default_factory=dict)
    padded: dict[int, int] = field(default_factory=dict)
    lengths: dict[int, str] = field(default_factory=dict)
    masks: dict[int, Mask] = field(default_factory=dict)
    tests: dict[Mask, str] = field(default_factory=dict)
    attends: bool = False

    def lower(self) -> Chain:
        nodes = [i.node for i in self.model.body if isinstance(i, Leaf)]
        self.others = {i.node.id: i.seen[1:] for i in self.model.body if isinstance(i, Leaf)}
        comments = {i.node.id: i.comments for i in self.model.body if isinstance(i, Leaf)}
        readers = naming.uses(self.model, nodes)
        self.takers = several.takers(nodes)
        stems, skipped = several.names(self.ctx, nodes, self.takers)
        names = naming.tensor_names(self.model, nodes, stems, skipped)
        self.named = {*names.values(), *self.input_names()}
        self.start()
        only = self.model.inputs[0] if len(self.model.inputs) == 1 else None
        if only is not None and len(readers[only.id]) == 1 and not only.names:
            self.spares |= {*self.input_names()} - {*names.values()}
        self.padded = packing.followed(self.ctx, self.model, nodes, readers)
        masking.sort_padding(self)
        masking.find(self, nodes)
        self.attributes = naming.attribute_names(self.ctx, self.model, nodes)
        for item in self.model.body:
            if isinstance(item, Plain):
                self.groups.append(Raw((item.span,), item.comments))
        for number, node in enumerate(nodes):
            uses = readers[node.id]
            once = len(uses) == 1 and node.id not in names and node.id not in self.model.outputs
            # what is bound before the only reader: text that reads it cannot be put off until then
            bound = {names.get(n.id) for n in nodes[number + 1 : uses[0]]} if once else None
            if node.id in self.takers:
                several.lower_whole(self, node, names, comments.get(node.id, ()))
            elif node.id not in self.flows:
                self.lower_node(node, names.get(node.id), bound, comments.get(node.id, ()))
        self.finish()
        groups = parts_first(self.groups, self.model)
        return Chain(groups, self.lines, self.paths, masked=masking.of_output(self))

    def input_names(self) -> list[str]:
        return [naming.input_name(self.model, i, n) for i, n in enumerate(self.model.inputs)]

    def start(self) -> None:
        """Unpack the inputs: one by its name; several from a list or dict called inputs."""
        names = self.input_names()
        for name, node in zip(names, self.model.inputs, strict=True):
            rank = len(node.shape) if node.shape is not None else None
            self.flows[node.id] = Flow(name, "last", rank)
        several_inputs = len(names) > 1 or self.model.input_kind == "list"
        if several_inputs and not handed_on(self.model):
            self.lines.append(Line(unpacked(self.model, names)))

    # ------------------------------------------------------------------ nodes

    def lower_node(
        self,
        node: Node,
        name: str | None,
        bound: Set[str | None] | None,
        comments: tuple[str, ...],
    ) -> None:
        """Lower one node; ``bound``: it may stand in its only reader, behind these variables."""
        note = ""
        masking.tell(self, node)
        if node.operation is not None:
            with located(node.operation.span):
                text, layout = self.operation(node, node.operation)
            rank, has_module = None, False
        elif node.layer is None:
            text, layout, rank = self.operator(node)
            has_module = False
        elif self.ctx.row(node.layer).get("shape") == "dot":
            text, layout, rank, has_module = dot(node, self.wires(node)), "last", None, False
        elif self.ctx.row(node.layer).get("shape") in ("merge", "concat"):
            text, layout, rank = self.merged(node)
            has_module = False
        elif several.stateful(self.ctx, node):
            text, note, has_module = several.given_states(self, node, comments)
            layout, rank = "last", None
        else:
            text, layout, rank, note, has_module = self.layer(node, comments)
        if node.shape is not None:
            rank = len(node.shape)
            layout = layout if rank > 1 else "last"
        inline = bound is not None and not words(text) & bound
        if inline and not note and len(text) < 70:
            self.flows[node.id] = Flow(text, layout, rank)
            self.waiting += () if has_module else comments
            return
        target = name or self.spare(node)
        above = self.waiting + (() if has_module else comments)
        self.waiting = above if text == target else ()
        self.lines += [Line(f"{target} = {text}", note, above)] if text != target else []
        self.flows[node.id] = Flow(target, layout, rank)

    def wires(self, node: Node) -> list[Flow]:
        return [self.flows[i] for i in node.inputs]

    def spare(self, node: Node) -> str:
        """A variable for a tensor without one, that no tensor still to be read is in."""
        before = [words(self.flows[i].text) & self.spares for i in node.inputs]
        if len(before) == 1 and before[0]:
            return min(before[0])  # it is read here, and only here
        name, number = "x", 1
        while name in self.named or name in self.spares:
            name, number = f"x{number}", number + 1
        self.spares.add(name)
        return name

    def layer(
        self, node: Node, comments: tuple[str, ...]
    ) -> tuple[str, str, int | None, str, bool]:
        layer = node.layer
        assert layer is not None
        flow = self.inflow(node, layer)
        ops = self.operations(node)
        if node.id in self.folded:
            ops = ops[:-1]
        text, layout, rank, note = flow.text, flow.layout, flow.rank, ""
        has_module = False
        base = self.attributes[layer.id]
        known = self.knows(layer)
        main = main_op(ops)
        told = masking.given(self, node)
        for op in ops:
            if op.layout in ("first", "last") and op.layout != layout and (rank or 0) > 1:
                text, remark = self.converted(text, rank, op.layout)
                layout, note = op.layout, join_notes(note, remark)
            if op.module is not None and (op.lines or not op.call or "{m}" in op.call):
                attribute = base if op is main else f"{base}_{op.stem}"
                self.make(attribute, layer, op, known, comments)
                comments, has_module = (), True
                if node.id in self.padded and op is main:
                    text = masking.packed(self, node, op, attribute, text)
                    if not op.lines:
                        layout = op.out or layout
                        rank = rank - op.folds if rank is not None else None
                        continue
                lines, call = self.spared(op)
                text = self.once(text, (*lines, call or ""))
                values = {"x": text, "m": f"self.{attribute}", **told}
                for line in lines:
                    self.lines.append(Line(fill(line, values)))
                text = fill(call or "{m}({x})", values)
                if op.lines:
                    note = join_notes(note, op.comment)
            else:
                template = op.first if layout == "first" and op.first else op.call
                text = self.once(text, (template or "",))
                text = filled(template or "{x}", {"x": text, **told})
                if op.call == "{x}.flatten(1)" and to_last(note):
                    note = "flattened in Keras's order"
                note = join_notes(note, op.comment if not op.folds else "")
            layout = op.out or layout
            rank = rank - op.folds if rank is not None else None
        return text, layout, rank, note, has_module

    def once(self, text: str, templates: Sequence[str]) -> str:
        """A tensor that some templates read several times, computed in a line before."""
        if not reads_again(text, templates):
            return text
        name = self.own("value")
        self.lines.append(Line(f"{name} = {text}"))
        return name

    def operation(self, node: Node, made: Obj) -> tuple[str, str]:
        """A tensor operation; what it reads several times is computed once, in a line before."""
        wires = self.wires(node)
        text, layout = tensors.lowered(self.ctx, node, made, wires)
        again = repeated(text, [wire.text for wire in wires])
        if not again:
            return text, layout
        names = {one: self.own("value") for one in again}
        self.lines += [Line(f"{name} = {one}") for one, name in names.items()]
        for wire in wires:
            wire.text = names.get(wire.text, wire.text)
        return tensors.lowered(self.ctx, node, made, wires)

    def operations(self, node: Node) -> list[Op]:
        """The ops of a layer, the same in all instances of the model.

        Raises:
            NotMigrated: they are not.
        """
        found = []
        for one in (node, *self.others.get(node.id, ())):
            layer, shape = one.layer, one.in_shapes[0]
            assert layer is not None
            width = dim_text(shape[-1]) if shape else None
            if self.hidden and shape is not None:
                shape = (None,) * len(shape)  # as in a class that serves many sizes
            given = masking.given(self, node)
            layer = masks.told(layer, given) if given else layer
            with located(layer.span):
                found.append(lower(self.ctx, several.without_state(layer), shape, width))
                if found[-1] != found[0]:
                    raise NotMigrated("K2T115", f"{layer.row} is built in several ways here")
        return found[0]

    def own(self, stem: str) -> str:
        """A variable for something that is no tensor of the script."""
        name, number = stem, 1
        while name in self.named | self.spares:
            name, number = f"{stem}{number}", number + 1
        self.named.add(name)
        return name

    def spared(self, op: Op) -> tuple[tuple[str, ...], str | None]:
        """The lines and call of an op, whose own variables are none that holds a tensor."""
        lines, call = op.lines, op.call
        bound = {word for line in lines for word in words(line.partition(" = ")[0])}
        for word in sorted(bound & self.named):
            another, name = self.own(word), rf"\b{word}\b"
            lines = tuple(re.sub(name, another, line) for line in lines)
            call = re.sub(name, another, call) if call else call
        return lines, call

    def put(self, node: Node, text: str, state: str | None = None) -> None:
        """Note where a tensor is that some line has bound already."""
        rank = len(node.shape) if node.shape is not None else None
        self.flows[node.id] = Flow(text, "last", rank, state)

    def knows(self, layer: Obj) -> bool:
        """Whether the modules of a layer are made already, where it was applied first."""
        return any(existing.id == layer.id for _, _, existing in self.paths)

    def make(
        self, attribute: str, layer: Obj, op: Op, known: bool, comments: tuple[str, ...]
    ) -> None:
        """Make a module, or take it from the model that has it."""
        assert op.module is not None
        taken = shared_module(self.ctx, self.model, layer, op)
        if taken is not None and not self.has(attribute):
            outside = self.model.owners[layer.id][0] in self.ctx.outside
            self.groups.append(Group(attribute, (Entry(taken, () if outside else comments),)))
        elif taken is None and not known:
            extra = (f"# {op.comment}",) if op.comment and op.stem == "pad" else ()
            self.groups.append(Group(attribute, (Entry(op.module, (*comments, *extra)),)))
            self.paths.append((f"self.{attribute}", op, layer))

    def inflow(self, node: Node, layer: Obj) -> Flow:
        """What a layer is called with; a model used as one may take several tensors."""
        form = str(t.data(layer.args["form"].value)) if "form" in layer.args else "{0}"
        many = len(node.inputs) > 1 or form != "{0}"
        part = layer.row == "Model" and layer.id not in self.ctx.outside
        if not part and not (layer.row in ("Custom", *ATTENTION) and many):
            return self.flows[node.inputs[0]]
        texts = []
        for flow in (self.flows[i] for i in node.inputs):
            first = flow.layout == "first" and (flow.rank or 0) > 1
            texts.append(self.converted(flow.text, flow.rank, "last")[0] if first else flow.text)
        if layer.row in ATTENTION:
            return Flow(", ".join(named_masks(node, texts)), "last", None)
        if layer.row == "Custom":
            ends = tuple(i.id for i in self.model.inputs)
            whole = node.inputs == ends and handed_on(self.model)
            return Flow("inputs" if whole else form.format(*texts), "last", None)
        kind = "one" if len(texts) == 1 else "list"
        return Flow(called_with(texts, kind), "last", None)

    def has(self, attribute: str) -> bool:
        return any(isinstance(g, Group) and g.name == attribute for g in self.groups)

    def converted(self, text: str, rank: int | None, wanted: str) -> tuple[str, str]:
        if rank not in TO_FIRST:
            raise NotMigrated("K2T118", "a tensor's number of axes is not known here")
        last, first = NAMES[rank]
        if wanted == "first":
            return bracketed(text) + TO_FIRST[rank], f"{last} -> {first}"
        return bracketed(text) + TO_LAST[rank], f"{first} -> {last}"

    def aligned(self, node: Node) -> tuple[list[str], str, int | None]:
        """The input expressions of a node with several inputs, in one layout."""
        flows = [self.flows[i] for i in node.inputs]
        layouts = {f.layout for f in flows if (f.rank or 0) > 1}
        layout = "first" if layouts == {"first"} else "last"
        texts = []
        for flow in flows:
            if flow.layout != layout and (flow.rank or 0) > 1:
                texts.append(self.converted(flow.text, flow.rank, layout)[0])
            else:
                texts.append(flow.text)
        return texts, layout, flows[0].rank

    def merged(self, node: Node) -> tuple[str, str, int | None]:
        assert node.layer is not None
        row = self.ctx.row(node.layer)
        texts, layout, rank = self.aligned(node)
        ranks = {len(s) for s in node.in_shapes if s is not None}
        if len(ranks) > 1:
            raise NotMigrated(
                "K2T131",
                f"{row.name} of tensors with different numbers of axes is not carried over",
                node.layer.span,
            )
        if row.name == "Concatenate":
            return self.concatenated(node, texts, layout, rank), layout, rank
        return joined(row, texts), layout, rank

    def concatenated(self, node: Node, texts: list[str], layout: str, rank: int | None) -> str:
        assert node.layer is not None
        axis = as_int(t.get(node.layer.args, "axis"))
        if axis is None or rank is None:
            raise NotMigrated(
                "K2T132", "the axis of this concatenation is not known", node.layer.span
            )
        axis = axis if axis >= 0 else rank + 1 + axis
        if layout == "first":
            axis = 1 if axis == rank else axis + 1
        return f"torch.cat([{', '.join(texts)}], {axis})"

    def operator(self, node: Node) -> tuple[str, str, int | None]:
        wires = self.wires(node)
        text, layout = tensors.operated(node, wires)
        return text, layout, wires[0].rank

    def finish(self) -> None:
        """The return statement; outputs leave in Keras's layout."""
        texts = []
        for tensor in self.model.outputs:
            flow = self.flows[tensor]
            text = flow.text
            if flow.layout == "first" and (flow.rank or 0) > 1:
                text, _ = self.converted(text, flow.rank, "last")
            texts.append(text)
        text, comment = ", ".join(texts), ""
        comments: tuple[str, ...] = ()
        while self.lines and self.lines[-1].text.startswith(f"{text} = "):
            last = self.lines.pop()
            text = last.text[len(text) + 3 :]
            comment, comments = join_notes(last.comment, comment), last.comments + comments
        self.lines.append(Line(f"return {text}", comment, comments))


def main_op(ops: list[Op]) -> Op | None:
    """The op that bears the layer's name: not the padding or dropout in front of it."""
    modules = [op for op in ops if op.module is not None]
    named = [op for op in modules if op.stem not in ("pad", "dropout", "depthwise")]
    return next(iter(named + modules), None)
