"""Modules applied to a tensor one after the other: in ``__init__`` alone, under its conditions and
loops. A function that does no more than that becomes an ``nn.Sequential``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from k2t.ir.source import Code
from k2t.ir.structure import Flow, Hold, Keep, Let, Repeat, Return, Step, When
from k2t.ir.torch import Block, Entry, Group, Part, Raw
from k2t.lower.branches import Link, block, constructors, join
from k2t.lower.liveness import lanes_of, stored
from k2t.lower.outline import outlined
from k2t.lower.parts import keeps
from k2t.lower.unit import Unit
from k2t.lower.wires import Bundle, NotKept, Wire, words

Put = Callable[[Link], Part]
"""What a module of a chain is in ``__init__``."""


def chain(unit: Unit) -> None:
    """The modules of a function in their order: its class has no ``forward`` of its own.

    Raises:
        NotKept: the function does more than that.
    """
    *steps, last = unit.structure.body
    if len(unit.structure.tensors) != 1 or not isinstance(last, Return) or len(last.flows) != 1:
        raise NotKept("no chain of modules")
    name = entries(unit, steps, unit.structure.tensors[0], entry)
    add(unit, last.flows[0], name, last.comments, entry)
    wire = unit.env[name]
    assert isinstance(wire, Wire)
    if all(isinstance(part, Raw) for part in unit.init):
        raise NotKept("no module")
    unit.returns = [wire]


def entry(link: Link) -> Entry:
    if link.op is not None and keeps(link.op):
        raise NotKept("a layer with a part of the loss")
    remark = (f"# {link.op.comment}",) if link.op is not None and link.op.comment else ()
    return Entry(link.text, (*link.comments, *remark))


def grouped(init: Sequence[Part]) -> tuple[Group | Part, ...]:
    """The parts of a chain as one group without a name, with what stands before and behind it."""
    places = [number for number, part in enumerate(init) if not isinstance(part, Raw)]
    first, last = places[0], places[-1] + 1
    if isinstance(init[first], Block):
        first = 0
    return (*init[:first], Group("", tuple(init[first:last])), *init[last:])


# ---------------------------------------------------------------------- step by step


def entries(unit: Unit, steps: Sequence[Step], name: str, put: Put) -> str:
    """The modules that steps apply to a tensor; the variable that it is in behind them."""
    for step in steps:
        match step:
            case Keep():
                unit.keep(step, {name})
            case Hold(site=site, comments=comments):
                unit.hold(site, comments)
            case Let(names=[after], flow=flow, comments=comments):
                add(unit, flow, name, comments, put)
                unit.env[after] = unit.env.pop(name)
                name = after
            case When():
                optional(unit, step, name, put)
            case Repeat() if not lanes_of(step):
                mark = unit.mark()
                try:
                    loop(unit, step, name, put)
                except NotKept:
                    unit.reset(mark)
                    loop(unit, outlined(unit, step, {name}, unit.config), name, put)
            case _:
                raise NotKept("no chain of modules")
    return name


def add(unit: Unit, flow: Flow, name: str, comments: tuple[str, ...], put: Put) -> None:
    """The modules that an expression applies to the tensor.

    Raises:
        NotKept: it does more than that, or there are comments and no module for them.
    """
    links = constructors(unit, flow, name, comments)
    if comments and not links:
        raise NotKept("comments where nothing is made")
    for link in links:
        unit.path(place(unit.init), link.op, link.layer)
        unit.init.append(put(link))


def place(before: Sequence[Part]) -> str:
    """Where the next module stands in the chain, if it always is the same place."""
    if any(isinstance(part, Block) for part in before):
        return "[?]"
    return f"[{sum(isinstance(part, Entry) for part in before)}]"


def inner(unit: Unit, steps: Sequence[Step], name: str, put: Put) -> list[Part]:
    """Steps in a block, which leave the tensor in its variable."""
    with unit.block() as parts:
        if entries(unit, steps, name, put) != name:
            raise NotKept("a tensor that changes its name in a block")
    return parts


def optional(unit: Unit, step: When, name: str, put: Put) -> None:
    """A condition around modules; what comes out is laid out in one way."""
    header = ("if ", *unit.code(step.test))
    before = dict(unit.env)
    unit.optional += 1
    one = inner(unit, step.body, name, put)
    after, unit.env = unit.env[name], before
    two = inner(unit, step.orelse, name, put)
    unit.optional -= 1
    unit.env[name] = join(name, after, unit.env[name])
    if not one:
        raise NotKept("a condition around nothing")
    unit.init.append(block(header, one, two, step.comments))


def loop(unit: Unit, step: Repeat, name: str, put: Put) -> None:
    head = header(unit, step)

    def body() -> list[Part]:
        unit.place = unit.places = unit.places + 1
        return inner(unit, step.body, name, put)

    outer = unit.place
    unit.config |= step.stored
    parts = steady(unit, [name], stored([step]), body)
    unit.place = outer
    unit.init.append(block(head, parts, [], step.comments))


def header(unit: Unit, step: Repeat) -> Code:
    """``for ... in ...`` over configuration, for ``__init__``."""
    targets: list[Code] = []
    sources: list[Code] = []
    for lane in step.lanes:
        if lane.tensors:
            bundle = unit.env.get(lane.tensors)
            if not isinstance(bundle, Bundle) or bundle.widths is None:
                raise NotKept("a loop over tensors")
            targets.append((f"{lane.name}_channels",))
            inner = bundle.widths
            sources.append((f"reversed({inner})" if lane.backwards else inner,))
        else:
            targets.append(unit.code(lane.target))
            sources.append(unit.code(lane.text))
    if not step.zipped:
        return ("for ", *targets[0], " in ", *sources[0])
    return ("for ", *commas(targets), " in zip(", *commas(sources), ")")


def commas(parts: list[Code]) -> Code:
    out: list[object] = []
    for number, part in enumerate(parts):
        out += [", ", *part] if number else part
    return tuple(out)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- widths from round to round


def steady(
    unit: Unit, names: Sequence[str], changing: set[str], body: Callable[[], list[Part]]
) -> list[Part]:
    """A body written so that each tensor enters every round with the same expression of its width:
    one that does not change, else a variable that follows it, else none."""
    ways = dict.fromkeys(names, "same")
    for name in names:
        wire = unit.env[name]
        assert isinstance(wire, Wire)
        if wire.width is not None and words(wire.width) & changing:
            ways[name] = "variable"
    for _ in range(3 * len(names) + 1):
        mark = unit.mark()
        entry: dict[str, str | None] = {}
        for name in names:
            wire = unit.env[name]
            assert isinstance(wire, Wire)
            width = wire.width
            if ways[name] == "none":
                width = None
            elif ways[name] == "variable" and width is not None:
                width = unit.save(name, wire)
            entry[name] = width
            unit.env[name] = replace(wire, width=width)
        parts = body()
        worse = False
        for name in names:
            wire = unit.env[name]
            assert isinstance(wire, Wire)
            if wire.width == entry[name]:
                continue
            if ways[name] == "variable" and wire.width is not None:
                parts.append(Raw((f"{entry[name]} = {wire.width}",)))
                unit.env[name] = replace(wire, width=entry[name])
            elif entry[name] is None:
                unit.env[name] = replace(wire, width=None)
            else:
                ways[name] = "none" if wire.width is None else "variable"
                worse = True
        if not worse:
            return parts
        unit.reset(mark)
    raise NotKept("the widths in a loop do not settle")
