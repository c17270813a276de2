"""What a loop does to its tensor, moved to a function of its own: a class for a round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from k2t.ir.nodes import Parameter
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
    Width,
)
from k2t.ir.values import Obj, Tuple, Value
from k2t.lower.liveness import asked, bound, flows, lanes_of, live, stored, texts
from k2t.lower.merges import layer_of
from k2t.lower.unit import Unit
from k2t.lower.wires import WORD, NotKept, Wire


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
