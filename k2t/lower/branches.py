"""Conditions on configuration around tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from k2t.ir.source import Code
from k2t.ir.structure import Flow, Invoke, Let, Operator, Step, Use, Var, When
from k2t.ir.torch import Block, Part
from k2t.ir.values import Obj
from k2t.lower.application import fill_slot, operations, shape_in
from k2t.lower.liveness import below, bound, reads
from k2t.lower.merges import layer_of
from k2t.lower.naming import kind_stem
from k2t.lower.ops import Op
from k2t.lower.unit import Unit
from k2t.lower.wires import Bundle, NotKept, Wire, converted, of_module, own_width, width_after


@dataclass(frozen=True)
class Link:
    """A module in a chain: its constructor, and what it is made from."""

    text: str
    op: Op | None = None
    layer: Obj | None = None
    comments: tuple[str, ...] = ()


def applications(flow: Flow, name: str) -> list[Use | Invoke]:
    """The layers and functions applied to a tensor one after the other, innermost first.

    Raises:
        NotKept: the expression is more than that.
    """
    if isinstance(flow, Var) and flow.name == name:
        return []
    inner: Flow | None = None
    if isinstance(flow, Use) and len(flow.inputs) == 1:
        inner = flow.inputs[0]
    elif isinstance(flow, Invoke) and len(flow.inputs) == 1:
        inner = flow.inputs[0][1]
    if inner is None or not isinstance(flow, Use | Invoke):
        raise NotKept("no chain of modules")
    return [*applications(inner, name), flow]


def constructors(unit: Unit, flow: Flow, name: str, comments: tuple[str, ...] = ()) -> list[Link]:
    """The modules that an expression applies to a tensor; the tensor is what comes out of them.

    Raises:
        NotKept: not all of them are modules, or the layout of the tensor changes between.
    """
    links: list[Link] = []
    for applied in applications(flow, name):
        wire = unit.env.get(name)
        if not isinstance(wire, Wire):
            raise NotKept(f"{name} is not known as a tensor here")
        if isinstance(applied, Invoke):
            text, outs, texts = unit.library.call(unit, applied)
            if texts != [wire.text] or len(outs) != 1:
                raise NotKept("the layout of a tensor changes within a chain")
            links.append(Link(text, comments=comments))
            out = outs[0]
        else:
            out = layer_links(unit, applied, wire, links, comments)
        comments = ()
        width = of_module(out.width, "")  # a module in a list cannot be asked
        unit.env[name] = replace(out, text=wire.text, width=width)
    return links


def layer_links(
    unit: Unit, use: Use, wire: Wire, links: list[Link], comments: tuple[str, ...]
) -> Wire:
    layer = layer_of(use)
    if unit.ctx.row(layer).get("shape") in ("merge", "concat"):
        raise NotKept("no chain of modules")
    layout, held = wire.layout, use.site.held
    ops = operations(unit, use, wire.width)
    for op in ops:
        plain = op.module is not None and not op.lines and "{m}" not in (op.call or "")
        fits = op.layout == "any" or op.layout == layout or (wire.rank or 0) <= 1
        if not plain or not fits or (op.out or layout) != layout:
            raise NotKept("no chain of modules")
        text = op.module or ""
        if held is not None:
            text, held = fill_slot(unit, held, use, op, ops, local=True), None
        links.append(Link(text, op, layer, comments))
        comments = ()
    node = use.seen[0]
    rank = len(node.shape) if node.shape is not None else wire.rank
    if rank is not None and rank <= 1 < (wire.rank or 0):
        layout = "last"
    width = width_after(unit.ctx.row(layer), layer, wire.width, shape_in(node))
    width = own_width(use.seen, wire.width) if layer.row == "Custom" else width
    return Wire(wire.text, layout, rank, width)


# ---------------------------------------------------------------------- conditions


def when(unit: Unit, step: When, rest: set[str]) -> None:
    mark = unit.mark()
    try:
        choice(unit, step)
    except NotKept:
        unit.reset(mark)
        general(unit, step, rest)


def choice(unit: Unit, step: When) -> None:
    """``self.norm = nn.BatchNorm2d(...) if batch_norm else nn.Identity()``."""
    names = {n for s in (*step.body, *step.orelse) if isinstance(s, Let) for n in s.names}
    if len(names) != 1:
        raise NotKept("no chain of modules")
    name = names.pop()
    entry = unit.env.get(name)
    if not isinstance(entry, Wire):
        raise NotKept("no chain of modules")
    one, after = branch_links(unit, step.body, name, entry)
    two, other = branch_links(unit, step.orelse, name, entry)
    if (after.layout, after.rank) != (other.layout, other.rank):
        raise NotKept("the layout of a tensor depends on a condition")
    unit.optional += 1
    text = f"{module_text(one)} if {unit.source(step.test)} else {module_text(two)}"
    comments = (*step.comments, *(c for link in (*one, *two) for c in link.comments))
    callee = unit.create(stem_of(unit, step, name), text, None, None, comments)
    for link in (*one, *two):
        unit.path("?", link.op, link.layer)
    unit.optional -= 1
    unit.say(f"{name} = {callee}({entry.text})")
    width = after.width if after.width == other.width else None
    unit.env[name] = replace(after, text=name, width=width)


def branch_links(
    unit: Unit, steps: Sequence[Step], name: str, entry: Wire
) -> tuple[list[Link], Wire]:
    unit.env[name] = entry
    links: list[Link] = []
    for step in steps:
        if not isinstance(step, Let):
            raise NotKept("no chain of modules")
        links += constructors(unit, step.flow, name, step.comments)
    out = unit.env[name]
    assert isinstance(out, Wire)
    return links, out


def module_text(links: Sequence[Link]) -> str:
    if not links:
        return "nn.Identity()"
    if len(links) == 1:
        return links[0].text
    return f"nn.Sequential({', '.join(link.text for link in links)})"


def stem_of(unit: Unit, step: When, name: str) -> str:
    """``shortcut`` where the tensor is added to another one next, else by the layer."""
    following = next((s for s in unit.following if isinstance(s, Let)), None)
    if following is not None and not step.orelse:
        for flow in below(following.flow):
            sums = isinstance(flow, Operator) or (
                isinstance(flow, Use) and unit.ctx.row(layer_of(flow)).get("shape") == "merge"
            )
            if sums and name in reads(flow):
                return "shortcut"
    first = next(s for s in (*step.body, *step.orelse) if isinstance(s, Let))
    applied = applications(first.flow, name)
    if len(applied) > 1:
        return "layers"
    link = applied[0]
    return link.function if isinstance(link, Invoke) else kind_stem(unit.ctx, layer_of(link))


def general(unit: Unit, step: When, rest: set[str]) -> None:
    """The condition stands in ``__init__`` around what is made, and in ``forward`` again."""
    if unit.lists is not None:
        raise NotKept("a condition in a loop whose branches do more than apply modules")
    for name in sorted(bound((*step.body, *step.orelse)) & set(unit.env)):
        wire = unit.env[name]
        if wire.text != name:
            unit.say(f"{name} = {wire.text}")
            unit.env[name] = replace(wire, text=name)
    header = ("if ", *unit.code(step.test))
    test = unit.in_forward(unit.source(step.test))
    unit.say(f"if {test}:", comments=step.comments)
    entry, counts = dict(unit.env), dict(unit.counts)
    body, env = branch(unit, step.body, rest)
    after = dict(unit.counts)
    unit.env, unit.counts = entry, counts
    if step.orelse:
        unit.say("else:")
    orelse, other = branch(unit, step.orelse, rest)
    unit.counts = {k: max(after.get(k, 0), unit.counts.get(k, 0)) for k in {**after, **unit.counts}}
    unit.env = {n: join(n, env.get(n), other.get(n)) for n in rest if n in env or n in other}
    if body:
        unit.init.append(block(header, body, orelse, ()))
    elif orelse:
        unit.init.append(block(("if not (", *header[1:], ")"), orelse, [], ()))


def branch(
    unit: Unit, steps: Sequence[Step], rest: set[str]
) -> tuple[list[Part], dict[str, Wire | Bundle]]:
    lines, entry = len(unit.lines), dict(unit.env)
    unit.depth, unit.optional = unit.depth + 1, unit.optional + 1
    with unit.block() as parts:
        unit.run(steps, rest)
    for name, was in entry.items():
        wire = unit.env.get(name)
        if not isinstance(was, Wire) or not isinstance(wire, Wire) or was.rank != wire.rank:
            continue
        if (was.layout, wire.layout) == ("first", "last") and (wire.rank or 0) > 1:
            unit.say(f"{name} = {converted(wire, 'first')[0]}")
            unit.env[name] = replace(wire, layout="first")
    if len(unit.lines) == lines and steps:
        unit.say("pass")
    unit.depth, unit.optional = unit.depth - 1, unit.optional - 1
    return parts, dict(unit.env)


def join(name: str, one: Wire | Bundle | None, two: Wire | Bundle | None) -> Wire | Bundle:
    if one == two and one is not None:
        return one
    if not isinstance(one, Wire) or not isinstance(two, Wire):
        raise NotKept(f"{name} depends on a condition")
    if (one.layout, one.rank) != (two.layout, two.rank):
        raise NotKept("the layout of a tensor depends on a condition")
    return replace(one, width=one.width if one.width == two.width else None)


def block(header: Code, body: list[Part], orelse: list[Part], comments: tuple[str, ...]) -> Block:
    """A condition or loop of ``__init__``."""
    return Block(header, tuple(body), tuple(orelse), comments)
