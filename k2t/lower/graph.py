"""Functional models: one forward line per statement of the script, under the script's own names."""

from __future__ import annotations

from dataclasses import dataclass, field

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.program import Leaf, Model, Plain
from k2t.ir.torch import Entry, Group, Line, Part, Raw
from k2t.ir.values import Const, Obj, as_int
from k2t.lower import tensors
from k2t.lower import text as t
from k2t.lower.brackets import bracketed, parenthesized
from k2t.lower.groups import Chain, fill, join_notes, to_last
from k2t.lower.layers import lower
from k2t.lower.ops import Context, Op, dim_text, located, stem
from k2t.lower.parts import called_with, parts_first, shared_module, unpacked
from k2t.lower.pieces import NAMES, TO_FIRST, TO_LAST

RESERVED = {
    "automatic_optimization", "device", "dtype", "hparams", "log", "trainer", "training", "forward",
    "step", "logger", "train", "eval", "float", "double", "half", "type", "children", "modules",
    "parameters", "buffers", "fabric", "global_step", "current_epoch", "local_rank", "penalty",
    "optimizers", "print", "apply", "to", "compile", "state_dict", "freeze", "backward",
}  # fmt: skip
"""Attributes of a LightningModule that no layer may take the name of."""


@dataclass
class Flow:
    """A tensor in ``forward``: the expression that holds it, its layout and rank."""

    text: str
    layout: str
    rank: int | None


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
    taken: set[str] = field(default_factory=set)
    waiting: tuple[str, ...] = ()
    named: set[str] = field(default_factory=set)
    spares: set[str] = field(default_factory=set)
    others: dict[int, tuple[Node, ...]] = field(default_factory=dict)

    def lower(self) -> Chain:
        nodes = [i.node for i in self.model.body if isinstance(i, Leaf)]
        self.others = {i.node.id: i.seen[1:] for i in self.model.body if isinstance(i, Leaf)}
        comments = {i.node.id: i.comments for i in self.model.body if isinstance(i, Leaf)}
        uses = self.uses(nodes)
        names = self.name_tensors(nodes, uses)
        inputs = enumerate(self.model.inputs)
        self.named = {*names.values(), *(self.input_name(i, n) for i, n in inputs)}
        self.start()
        self.name_attributes(nodes)
        for item in self.model.body:
            if isinstance(item, Plain):
                self.groups.append(Raw((item.span,), item.comments))
        for node in nodes:
            inline = (
                len(uses[node.id]) == 1
                and node.id not in names
                and node.id not in self.model.outputs
            )
            self.lower_node(node, names.get(node.id), inline, comments.get(node.id, ()))
        self.finish()
        return Chain(parts_first(self.groups, self.model), self.lines, self.paths)

    # ------------------------------------------------------------------ names

    def uses(self, nodes: list[Node]) -> dict[int, list[int]]:
        """For each tensor, the positions of the nodes that read it (outputs: the end)."""
        found: dict[int, list[int]] = {n.id: [] for n in (*self.model.inputs, *nodes)}
        for position, node in enumerate(nodes):
            for tensor in node.inputs:
                found.setdefault(tensor, []).append(position)
        for tensor in self.model.outputs:
            found.setdefault(tensor, []).append(len(nodes))
        return found

    def name_tensors(self, nodes: list[Node], uses: dict[int, list[int]]) -> dict[int, str]:
        """Variables for the tensors, the script's where two live tensors do not want the same."""
        wanted: dict[int, tuple[str, ...]] = {n.id: n.names for n in nodes}
        chosen: dict[int, str] = {}
        position = {n.id: i for i, n in enumerate(nodes)}
        live_until: dict[str, int] = {}
        for number, node in enumerate(self.model.inputs):
            live_until[self.input_name(number, node)] = max(uses[node.id] or [-1])
        for node in nodes:
            here = position[node.id]
            last = max(uses[node.id] or [here])
            names = [n for n in wanted[node.id] if live_until.get(n, -1) <= here]
            several = node.id in self.model.outputs and len(self.model.outputs) > 1
            if not names and len(uses[node.id]) == 1 and not wanted[node.id] and not several:
                continue  # nested call: written inside its only reader

            def free(name: str, here: int = here, last: int = last) -> bool:
                later = [
                    position[n.id]
                    for n in nodes
                    if here < position[n.id] < last and n.names[:1] == (name,)
                ]
                return not later

            best = next((n for n in names if free(n)), None)
            if best is None:
                best = self.fresh(names[0] if names else "x", live_until, here)
            chosen[node.id] = best
            live_until[best] = last
        return chosen

    def fresh(self, stem: str, live: dict[str, int], here: int) -> str:
        number = 1
        while live.get(f"{stem}{number}", -1) > here:
            number += 1
        return f"{stem}{number}"

    def input_name(self, number: int, node: Node) -> str:
        if len(self.model.inputs) > 1:
            return node.names[0] if node.names else node.key or f"x{number + 1}"
        return node.names[0] if node.names else "x"

    def start(self) -> None:
        """Unpack the inputs: one by its name; several from a list or dict called inputs."""
        inputs = self.model.inputs
        for number, node in enumerate(inputs):
            rank = len(node.shape) if node.shape is not None else None
            name = self.input_name(number, node)
            self.flows[node.id] = Flow(name, "last", rank)
        if len(inputs) > 1 or self.model.input_kind == "list":
            names = [self.input_name(i, n) for i, n in enumerate(inputs)]
            self.lines.append(Line(unpacked(self.model, names)))

    def name_attributes(self, nodes: list[Node]) -> None:
        """Attribute names: ``name=``, else the layer's kind, numbered where there are several."""
        layers: dict[int, Obj] = {}
        for node in nodes:
            if node.layer is not None:
                layers.setdefault(node.layer.id, node.layer)
        stems: dict[str, int] = {}
        given: dict[int, str] = {}
        for layer in layers.values():
            name = t.data(t.get(layer.args, "name"))
            usable = isinstance(name, str) and name.isidentifier() and name not in RESERVED
            if usable and name not in given.values():
                given[layer.id] = name
        for layer in layers.values():
            if layer.id not in given:
                stem = kind_stem(self.ctx, layer)
                stems[stem] = stems.get(stem, 0) + 1
        counts: dict[str, int] = {}
        self.taken = set(given.values())
        for layer in layers.values():
            if layer.id in given:
                self.attributes[layer.id] = given[layer.id]
                continue
            stem = kind_stem(self.ctx, layer)
            counts[stem] = counts.get(stem, 0) + 1
            name = stem if stems[stem] == 1 else f"{stem}{counts[stem]}"
            while name in self.taken or name in RESERVED:
                name += "_"
            self.taken.add(name)
            self.attributes[layer.id] = name

    # ------------------------------------------------------------------ nodes

    def lower_node(
        self, node: Node, name: str | None, inline: bool, comments: tuple[str, ...]
    ) -> None:
        note = ""
        if node.operation is not None:
            wires = [self.flows[i] for i in node.inputs]
            with located(node.operation.span):
                text, layout = tensors.lowered(self.ctx, node, node.operation, wires)
            rank, has_module = None, False
        elif node.layer is None:
            text, layout, rank = self.operator(node)
            has_module = False
        elif self.ctx.row(node.layer).get("shape") in ("merge", "concat"):
            text, layout, rank = self.merged(node)
            has_module = False
        else:
            text, layout, rank, note, has_module = self.layer(node, comments)
        if node.shape is not None:
            rank = len(node.shape)
            layout = layout if rank > 1 else "last"
        if inline and not note and len(text) < 70:
            self.flows[node.id] = Flow(text, layout, rank)
            self.waiting += () if has_module else comments
            return
        target = name or self.spare(node)
        above = self.waiting + (() if has_module else comments)
        self.waiting = ()
        self.lines.append(Line(f"{target} = {text}", note, above))
        self.flows[node.id] = Flow(target, layout, rank)

    def spare(self, node: Node) -> str:
        """A variable for a tensor without one, that no tensor still to be read is in."""
        before = [self.flows[i].text for i in node.inputs if self.flows[i].text in self.spares]
        if before:
            return before[0]  # it is read here, and only here
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
        shape = node.in_shapes[0]
        width = dim_text(shape[-1]) if shape else None
        if self.hidden and shape is not None:
            shape = (None,) * len(shape)  # as in a class that serves many sizes
        with located(layer.span):
            ops = lower(self.ctx, layer, shape, width)
            for other in self.others.get(node.id, ()):
                assert other.layer is not None
                last = other.in_shapes[0]
                other_width = dim_text(last[-1]) if last else None
                if self.hidden and last is not None:
                    last = (None,) * len(last)
                again = lower(self.ctx, other.layer, last, other_width)
                if again != ops:
                    raise NotMigrated("K2T115", f"{layer.row} is built in several ways here")
        if t.get(layer.args, "mask_zero") == Const(True):
            raise NotMigrated(
                "K2T114", "masks in functional models are not carried over", layer.span
            )
        if node.id in self.folded:
            ops = ops[:-1]
        text, layout, rank, note = flow.text, flow.layout, flow.rank, ""
        has_module = False
        base = self.attributes[layer.id]
        known = [p for p, _, existing in self.paths if existing.id == layer.id]
        main = main_op(ops)
        for op in ops:
            if op.layout in ("first", "last") and op.layout != layout and (rank or 0) > 1:
                text, remark = self.converted(text, rank, op.layout)
                layout, note = op.layout, join_notes(note, remark)
            if op.module is not None and (op.lines or not op.call or "{m}" in op.call):
                attribute = base if op is main else f"{base}_{op.stem}"
                taken = shared_module(self.ctx, self.model, layer, op)
                if taken is not None and not self.has(attribute):
                    self.groups.append(Group(attribute, (Entry(taken, comments),)))
                elif taken is None and not known:
                    extra = (f"# {op.comment}",) if op.comment and op.stem == "pad" else ()
                    self.groups.append(Group(attribute, (Entry(op.module, (*comments, *extra)),)))
                    self.paths.append((f"self.{attribute}", op, layer))
                comments, has_module = (), True
                values = {"x": text, "m": f"self.{attribute}"}
                for line in op.lines:
                    self.lines.append(Line(fill(line, values)))
                text = fill(op.call or "{m}({x})", values)
                if op.lines:
                    note = join_notes(note, op.comment)
            else:
                template = op.first if layout == "first" and op.first else op.call
                text = fill(template or "{x}", {"x": parenthesized(text, template or "")})
                if op.call == "{x}.flatten(1)" and to_last(note):
                    note = "flattened in Keras's order"
                note = join_notes(note, op.comment)
            layout = op.out or layout
        return text, layout, rank, note, has_module

    def inflow(self, node: Node, layer: Obj) -> Flow:
        """What a layer is called with; a model used as one may take several tensors."""
        if layer.row != "Model":
            return self.flows[node.inputs[0]]
        texts = []
        for flow in (self.flows[i] for i in node.inputs):
            first = flow.layout == "first" and (flow.rank or 0) > 1
            texts.append(self.converted(flow.text, flow.rank, "last")[0] if first else flow.text)
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
        if row.get("pairwise"):
            text = texts[0]
            for other in texts[1:]:
                text = row.data["pairwise"].replace("{a}", text).replace("{b}", other)
            return text, layout, rank
        text = row.data["operator"].join(texts)
        if row.get("average"):
            text = f"({text}) / {len(texts)}"
        return text, layout, rank

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
        wires = [self.flows[i] for i in node.inputs]
        if (node.operator or "").startswith("["):  # one of several outputs of a part
            return f"{wires[0].text}{node.operator}", "last", None
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
        if len(texts) == 1 and self.model.output_kind == "one":
            text, comment = texts[0], ""
            comments: tuple[str, ...] = ()
            while self.lines and self.lines[-1].text.startswith(f"{text} = "):
                last = self.lines.pop()
                text = last.text[len(text) + 3 :]
                comment, comments = join_notes(last.comment, comment), last.comments + comments
            self.lines.append(Line(f"return {text}", comment, comments))
            return
        self.lines.append(Line(f"return {', '.join(texts)}"))


def main_op(ops: list[Op]) -> Op | None:
    """The op that bears the layer's name: not the padding or dropout in front of it."""
    modules = [op for op in ops if op.module is not None]
    named = [op for op in modules if op.stem not in ("pad", "dropout")]
    return next(iter(named + modules), None)


def kind_stem(ctx: Context, layer: Obj) -> str:
    inner = t.get(layer.args, "layer")
    return stem(inner.row) if isinstance(inner, Obj) else stem(layer.row)
