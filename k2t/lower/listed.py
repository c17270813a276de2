"""Loops that are more than a chain: one list of modules for each module of a round."""

from __future__ import annotations

from dataclasses import replace

from k2t.ir.structure import Append, Repeat, Taken
from k2t.ir.torch import Line, Part, Raw
from k2t.ir.values import Obj
from k2t.lower.branches import block
from k2t.lower.chains import header, steady
from k2t.lower.initial import RECURRENT
from k2t.lower.liveness import bound, flows, lanes_of, live, stored
from k2t.lower.ops import Op
from k2t.lower.rounds import plural
from k2t.lower.unit import INDENT, Unit
from k2t.lower.wires import Bundle, NotKept, Wire, converted, words


def listed(unit: Unit, step: Repeat, rest: set[str]) -> None:
    """One list for each module of a round; ``forward`` goes through them in step."""
    if unit.lists is not None:
        raise NotKept("a loop in a loop, around more than a chain of modules")
    grow_lists(unit, step)
    carried = sorted(
        n for n in bound(step.body) & live(step.body, rest) if isinstance(unit.env.get(n), Wire)
    )
    head = header(unit, step)
    for lane in lanes_of(step):
        bundle = unit.env[lane.tensors or ""]
        width = f"{lane.name}_channels"
        unit.env[lane.name] = Wire(lane.name, bundle.layout, bundle.rank, width)
    unit.config |= step.stored
    layouts = {name: enter(unit, step, name) for name in carried}
    start, outer = len(unit.lines), unit.place
    unit.lists, unit.changing = {}, frozenset(stored([step]))
    after = rest | live(step.body, rest)

    def body() -> list[Part]:
        assert unit.lists is not None
        unit.lists.clear()
        unit.shared.clear()
        del unit.lines[start:]
        with unit.block() as parts:
            unit.place = unit.places = unit.places + 1
            unit.depth += 1
            unit.run(step.body, after)
            unit.depth -= 1
        return parts

    parts = steady(unit, carried, stored([step]), body)
    unit.place = outer
    if any(unit.env[name].layout != layout for name, layout in layouts.items()):
        raise NotKept("the layout of a tensor changes from round to round")
    made = unit.lists
    unit.lists = None
    unit.init += unit.shared
    for attribute in made:
        unit.put(f"self.{attribute} = nn.ModuleList()")
    unit.init.append(block(head, parts, [], step.comments))
    unit.lines.insert(start, Line(INDENT * unit.depth + forward_header(unit, step, made)))


def enter(unit: Unit, step: Repeat, name: str) -> str:
    """Bring a tensor into the layout that it has in every round."""
    wire = unit.env[name]
    assert isinstance(wire, Wire)
    if wire.layout == "last" and (wire.rank or 0) > 1 and unit.library.first_in(step.body):
        text, note = converted(wire, "first")
        unit.say(f"{name} = {text}", note)
        wire = replace(wire, layout="first")
    elif wire.text != name:
        unit.say(f"{name} = {wire.text}")
    unit.env[name] = replace(wire, text=name)
    return wire.layout


def grow_lists(unit: Unit, step: Repeat) -> None:
    """Lists of tensors that a loop fills or empties: their widths are listed beside them."""
    names = {lane.tensors for lane in lanes_of(step) if lane.tensors}
    names |= {s.name for s in step.body if isinstance(s, Append)}
    names |= {f.name for f in flows(step.body) if isinstance(f, Taken)}
    for name in sorted(names):
        bundle = unit.env.get(name)
        if not isinstance(bundle, Bundle):
            raise NotKept(f"{name} is no list that is known")
        if bundle.widths is None:
            widths = [w.width for w in bundle.items or ()]
            if None in widths:
                raise NotKept(f"the widths of the tensors in {name} are not known")
            listed_ = ", ".join(w or "" for w in widths)
            unit.put(f"{name}_channels = [{listed_}]")
            unit.assigned.add(f"{name}_channels")
            layout, rank = bundle.layout, bundle.rank
            unit.env[name] = Bundle(name, None, f"{name}_channels", layout, rank)


def forward_header(unit: Unit, step: Repeat, made: dict[str, str]) -> str:
    pairs = [(variable, f"self.{attribute}") for attribute, variable in made.items()]
    for lane in lanes_of(step):
        source = f"reversed({lane.tensors})" if lane.backwards else str(lane.tensors)
        pairs.append((lane.name, source))
    if not pairs:
        raise NotKept("a loop that forward cannot go through")
    if len(pairs) == 1:
        return f"for {pairs[0][0]} in {pairs[0][1]}:"
    names, sources = zip(*pairs, strict=True)
    return f"for {', '.join(names)} in zip({', '.join(sources)}):"


def create_in_list(
    unit: Unit, stem: str, text: str, op: Op | None, layer: Obj | None, comments: tuple[str, ...]
) -> str:
    """A module of a round, appended to its list; the name it has in ``forward``'s loop."""
    assert unit.lists is not None
    holds = op is None or op.params or (layer is not None and layer.row in RECURRENT)
    if not holds and not words(text) & unit.changing:
        attribute = unit.token(stem)  # it holds nothing: one serves all rounds
        unit.shared.append(Raw((f"self.{attribute} = {text}",), comments))
        return f"self.{attribute}"
    attribute = unit.token(plural(stem))
    name = stem.rstrip("s") if stem.endswith("s") else stem
    taken = {*unit.lists.values(), *unit.env}
    number, variable = 2, name
    while variable in taken:
        variable, number = f"{name}{number}", number + 1
    unit.lists[attribute] = variable
    unit.put(f"self.{attribute}.append({text})", comments)
    unit.path("?", op, layer)
    return variable
