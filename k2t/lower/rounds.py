"""Loops around layers: as a Sequential where rounds form a chain, else as lists of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from k2t.ir.nodes import Parameter
from k2t.ir.source import Code
from k2t.ir.structure import (
    Append,
    Invoke,
    Keep,
    Let,
    Repeat,
    Return,
    Step,
    Structure,
    Taken,
    Use,
    Var,
    When,
    Width,
)
from k2t.ir.torch import Part, Raw
from k2t.ir.values import Obj, Tuple, Value
from k2t.lower.branches import applications, block, constructors, join
from k2t.lower.liveness import asked, bound, flows, lanes_of, live, stored, texts
from k2t.lower.merges import layer_of
from k2t.lower.naming import kind_stem
from k2t.lower.unit import Unit
from k2t.lower.wires import WORD, Bundle, NotKept, Wire, converted, words


def repeat(unit: Unit, step: Repeat, rest: set[str]) -> None:
    """The loop in the form that reads best and is possible."""
    reasons = []
    from k2t.lower.listed import listed

    for way in (chained, blocks, listed):
        mark = unit.mark()
        try:
            way(unit, step, rest)
            return
        except NotKept as error:
            unit.reset(mark)
            reasons.append(str(error))
    raise NotKept(reasons[-1])


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


# ---------------------------------------------------------------------- a chain


def chained(unit: Unit, step: Repeat, rest: set[str]) -> None:
    """Every round applies modules to one tensor: a Sequential of all of them."""
    names = bound(step.body)
    if len(names) != 1 or lanes_of(step):
        raise NotKept("a loop about several tensors")
    name = names.pop()
    wire = unit.env.get(name)
    if not isinstance(wire, Wire):
        raise NotKept(f"{name} is not known before the loop")
    text, note = wire.text, ""
    if wire.layout == "last" and (wire.rank or 0) > 1 and unit.library.first_in(step.body):
        text, note = converted(wire, "first")
        unit.env[name] = replace(wire, layout="first", text=name)
    else:
        unit.env[name] = replace(wire, text=name)
    stem = plural(chain_stem(unit, step.body, name))
    taken = unit.config | stored([step])
    target = stem if stem not in taken else f"{stem}_"
    layout = unit.env[name].layout
    chain_loop(unit, step, name, target)
    unit.init.insert(len(unit.init) - 1, Raw((f"{target} = []",)))
    after = unit.env[name]
    if after.layout != layout:
        raise NotKept("no chain of modules")
    if unit.lists is not None:
        callee = unit.create(stem, f"nn.Sequential(*{target})", None, None, ())
    else:
        attribute = unit.token(stem)
        unit.put(f"self.{attribute} = nn.Sequential(*{target})")
        callee = f"self.{attribute}"
    unit.say(f"{name} = {callee}({text})", note)


def chain_loop(unit: Unit, step: Repeat, name: str, target: str) -> None:
    head = header(unit, step)

    def body() -> list[Part]:
        with unit.block() as parts:
            unit.place = unit.places = unit.places + 1
            chain_steps(unit, step.body, name, target)
        return parts

    outer = unit.place
    unit.config |= step.stored
    parts = steady(unit, [name], stored([step]), body)
    unit.place = outer
    unit.init.append(block(head, parts, [], step.comments))


def chain_steps(unit: Unit, steps: Sequence[Step], name: str, target: str) -> None:
    for step in steps:
        match step:
            case Keep():
                unit.keep(step, {name})
            case Let(flow=flow, comments=comments):
                for link in constructors(unit, flow, name, comments):
                    unit.put(f"{target}.append({link.text})", link.comments)
                    unit.path("?", link.op, link.layer)
            case When(test=test, body=body, orelse=orelse, comments=comments):
                head = ("if ", *unit.code(test))
                entry = dict(unit.env)
                with unit.block() as one:
                    chain_steps(unit, body, name, target)
                after, unit.env = unit.env[name], entry
                with unit.block() as two:
                    chain_steps(unit, orelse, name, target)
                unit.env[name] = join(name, after, unit.env[name])
                unit.init.append(block(head, one, two, comments))
            case Repeat() if not lanes_of(step):
                chain_loop(unit, step, name, target)
            case _:
                raise NotKept("no chain of modules")


def chain_stem(unit: Unit, steps: Sequence[Step], name: str) -> str:
    """What the modules of a chain are called: by the one kind there is, else layers."""
    found = set()
    for step in steps:
        match step:
            case Let(flow=flow):
                for applied in applications(flow, name):
                    named = isinstance(applied, Invoke)
                    found.add(applied.function if named else kind_stem(unit.ctx, layer_of(applied)))  # type: ignore[union-attr,arg-type]
            case When(body=body, orelse=orelse):
                found.add(chain_stem(unit, (*body, *orelse), name))
            case Repeat(body=body):
                found.add(chain_stem(unit, body, name))
    return found.pop() if len(found) == 1 else "layer"


def plural(stem: str) -> str:
    return stem if stem.endswith("s") else stem + "s"


# ---------------------------------------------------------------------- a class for a round


def blocks(unit: Unit, step: Repeat, rest: set[str]) -> None:
    """What the innermost loop does to its tensor becomes a class; then the rounds form a chain."""
    chained(unit, outlined(unit, step, rest, unit.config), rest)


def outlined(unit: Unit, step: Repeat, rest: set[str], scope: set[str]) -> Repeat:
    """The loop with the steps about tensors of each innermost loop moved to a function."""
    scope = scope | stored([step])
    if any(isinstance(s, Repeat) for s in step.body):
        body: list[Step] = []
        for number, inner in enumerate(step.body):
            after = live([*step.body[number + 1 :], step], rest)
            body.append(outlined(unit, inner, after, scope) if isinstance(inner, Repeat) else inner)
        return replace(step, body=tuple(body))
    moved = [s for s in step.body if not isinstance(s, Keep)]
    made = bound(moved)
    before = live(step.body, set())
    carried = made & (before | rest)
    if len(carried) != 1 or lanes_of(step) or before - carried:
        raise NotKept("a loop about several tensors")
    if any(isinstance(s, Append) for s in moved) or any(isinstance(f, Taken) for f in flows(moved)):
        raise NotKept("a loop about a list of tensors")
    name = carried.pop()
    wire = unit.env.get(name)
    rank = wire.rank if isinstance(wire, Wire) else None
    needed = [n for n in free(unit, moved) if n in scope and n not in stored(moved)]
    function = unit.library.outline(
        step,
        Structure(
            block_name(unit, step),
            unit.structure.span,
            (name,),
            tuple(Parameter(n) for n in needed),
            (*moved, Return((Var(name),))),
            {name: (None,) * rank if rank is not None else None},
        ),
    )
    call = Let(
        (name,), Invoke(function, ((name, Var(name)),), tuple((None, n, (n,)) for n in needed))
    )
    last = max(i for i, s in enumerate(step.body) if not isinstance(s, Keep))
    kept = [s for s in step.body[:last] if isinstance(s, Keep)]
    if any(asked(s.text) & made for s in step.body if isinstance(s, Keep)):
        raise NotKept("a configuration that asks for a width in a loop")
    return replace(step, body=(*kept, call, *step.body[last + 1 :]))


def block_name(unit: Unit, step: Repeat) -> str:
    """A loop over blocks makes a Block."""
    targets = [unit.source(lane.target) for lane in step.lanes if lane.target]
    name = next((n for n in targets if n.isidentifier() and len(n) > 2), "block")
    return name


def free(unit: Unit, steps: Sequence[Step]) -> list[str]:
    """The variables of the configuration that some steps read, in order."""
    found: dict[str, None] = {}
    for text in texts(steps):
        source = unit.source(tuple(p for p in text if not isinstance(p, Width)))
        found |= dict.fromkeys(WORD.findall(source))
    for flow in flows(steps):
        if isinstance(flow, Use):
            for arg in layer_of(flow).args.values():
                for spelling in spelled(arg.value):
                    found |= dict.fromkeys(WORD.findall(spelling))
    return list(found)


def spelled(value: Value) -> Iterator[str]:
    """The source texts inside a value."""
    expr = getattr(value, "expr", None)
    if expr is not None:
        yield expr.text
    elif isinstance(value, Tuple):
        for item in value.items:
            yield from spelled(item)
    elif isinstance(value, Obj):
        for arg in value.args.values():
            yield from spelled(arg.value)
