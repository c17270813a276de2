"""Loops around layers: as a Sequential where rounds form a chain, else as lists of modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from k2t.ir.structure import (
    Invoke,
    Let,
    Repeat,
    Step,
    When,
)
from k2t.ir.torch import Raw
from k2t.lower.branches import Link, applications
from k2t.lower.chains import entries
from k2t.lower.liveness import bound, lanes_of, stored
from k2t.lower.merges import layer_of
from k2t.lower.naming import kind_stem
from k2t.lower.outline import outlined
from k2t.lower.unit import Unit
from k2t.lower.wires import NotKept, Wire, converted


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
    layout, known = unit.env[name].layout, len(unit.paths)
    entries(unit, [step], name, lambda link: append(target, link))
    unit.init.insert(len(unit.init) - 1, Raw((f"{target} = []",)))
    after = unit.env[name]
    if after.layout != layout:
        raise NotKept("no chain of modules")
    if unit.lists is not None:
        callee = unit.create(stem, f"nn.Sequential(*{target})", None, None, ())
    else:
        attribute = unit.token(stem)
        unit.put(f"self.{attribute} = nn.Sequential(*{target})")
        if not unit.optional:
            inside = unit.paths[known:]
            unit.paths[known:] = [(f"self.{attribute}[?]", op, one) for _, op, one in inside]
        callee = f"self.{attribute}"
    unit.say(f"{name} = {callee}({text})", note)


def append(target: str, link: Link) -> Raw:
    return Raw((f"{target}.append({link.text})",), link.comments)


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
    """What a list is called: ``convs``, ``dense_layers``, ``res_blocks`` of the class ResBlock2."""
    stem = stem.rstrip("0123456789") or stem
    if stem == "dense":
        return "dense_layers"
    return stem if stem.endswith("s") else stem + "s"


# ---------------------------------------------------------------------- a class for a round


def blocks(unit: Unit, step: Repeat, rest: set[str]) -> None:
    """What the innermost loop does to its tensor becomes a class; then the rounds form a chain."""
    chained(unit, outlined(unit, step, rest, unit.config), rest)
