"""The functions of a script that become module classes, each lowered once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from k2t.ir.nodes import Parameter
from k2t.ir.source import Code, Span
from k2t.ir.structure import Invoke, Repeat, Step, Structure, Use
from k2t.ir.torch import Block, Entry, Line, ModuleClass, Part, Raw
from k2t.ir.values import Obj
from k2t.lower.brackets import TOKEN
from k2t.lower.chains import chain, grouped
from k2t.lower.liveness import flows
from k2t.lower.merges import layer_of
from k2t.lower.ops import Context, Op
from k2t.lower.unit import Unit
from k2t.lower.wires import NotKept, Wire, aligned, converted, factor, words

ASSIGNED = re.compile(r"\s*(\w+) (?:[-+*/%]|//|\*\*)?= ")
HEADER = re.compile(r"\s*(?:(?:if|elif|for) .*|else):\s*(?:#.*)?$")


class Again(Exception):
    """A function turned out to be called with tensors of unknown width: its layers become lazy."""


@dataclass
class Library:
    """The functions by name; ``units`` are those that models use, callees first."""

    ctx: Context
    functions: dict[str, Structure]
    class_name: Callable[[str], str]
    units: dict[str, Unit] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    lazy: set[tuple[str, str]] = field(default_factory=set)
    outlines: dict[int, str] = field(default_factory=dict)
    last: set[str] = field(default_factory=set)

    def unit(self, function: str) -> Unit:
        """The class of a function, as far as it is known from its own text."""
        if function not in self.units:
            unit = self.lowered(function)
            if unit.entry_layout() == "first" and all(comes_out_last(w) for w in unit.returns):
                self.last.add(function)  # then it goes in as it comes out, and rounds form a chain
                unit = self.lowered(function)
            self.units[function] = unit
        return self.units[function]

    def lowered(self, function: str) -> Unit:
        structure = self.functions[function]
        if function not in self.names:
            self.names[function] = self.class_name(function)
        widths = {
            tensor: None if (function, tensor) in self.lazy else width_name(structure, tensor)
            for tensor in structure.tensors
        }
        unit = self.begun(structure, widths)
        try:
            chain(unit)
        except NotKept:
            unit = self.begun(structure, widths)
            run(unit)
        tell_widths(unit)
        prune(unit)
        read = used(unit)
        unit.needs = {k: w for k, w in widths.items() if w is not None and w in read}
        return unit

    def begun(self, structure: Structure, widths: dict[str, str | None]) -> Unit:
        unit = Unit(self.ctx, self, structure, self.names[structure.name])
        unit.start(widths)
        return unit

    def outline(self, step: Repeat, structure: Structure) -> str:
        """Register a loop's body as a function of its own; its key."""
        key = self.outlines.get(id(step))
        if key is None:
            number = 1
            key = structure.name
            while key in self.functions:
                number += 1
                key = f"{structure.name}{number}"
            self.outlines[id(step)] = key
        if self.functions.get(key) != replace(structure, name=key):
            self.units.pop(key, None)
        self.functions[key] = replace(structure, name=key)
        return key

    def wants_first(self, structure: Structure) -> bool:
        return structure.name not in self.last and self.first_in(structure.body)

    def first_in(self, steps: Sequence[Step]) -> bool:
        """Whether some layer in these steps wants channels first."""
        for flow in flows(steps):
            if isinstance(flow, Use):
                layer = layer_of(flow)
                shape = flow.seen[0].in_shapes[0] if flow.seen[0].in_shapes else None
                rank = len(shape) if shape is not None else 0
                row = self.ctx.row(layer)
                if "time_distributed" in layer.args:
                    continue
                if row.get("layout") == "first" or (layer.row == "BatchNormalization" and rank > 1):
                    return True
            elif isinstance(flow, Invoke) and self.unit(flow.function).entry_layout() == "first":
                return True
        return False

    # ------------------------------------------------------------------ calls

    def call(self, caller: Unit, flow: Invoke) -> tuple[str, list[Wire], list[str]]:
        """The constructor of a call's module, the tensors that come out, the tensors it takes."""
        unit = self.unit(flow.function)
        structure = unit.structure
        wires = {name: caller.flow(inner)[0] for name, inner in flow.inputs}
        if set(wires) != set(structure.tensors):
            raise NotKept(f"{flow.function} is called with other tensors")
        names = {tensor: width_name(structure, tensor) for tensor in structure.tensors}
        widths = {name: wires[tensor].width for tensor, name in names.items()}
        given = {name: width for name, width in widths.items() if width is not None}
        for tensor, name in unit.needs.items():
            if name not in given:
                self.lazy.add((flow.function, tensor))
                raise Again
        arguments = [given[n] for n in unit.needs.values()]
        read = used(unit)
        kept = [p for p in structure.parameters if p.name in read]
        by_place = True
        written = {name: (key, caller.source(text)) for key, name, text in flow.arguments}
        for number, parameter in enumerate(kept):
            if parameter.name not in written:
                by_place = False
                if parameter.default is not None:
                    given[parameter.name] = self.ctx.source_text(parameter.default)
                continue
            key, text = written[parameter.name]
            given[parameter.name] = text
            by_place = by_place and key is None and number <= len(arguments)
            arguments.append(text if by_place else f"{parameter.name}={text}")
        return (
            f"{unit.name}({', '.join(arguments)})",
            [replace(w, width=translated(unit, w.width, given)) for w in unit.returns],
            self.tensor_texts(unit, wires),
        )

    def tensor_texts(self, unit: Unit, wires: Mapping[str, Wire]) -> list[str]:
        """The tensors a class is called with, in the layout that it wants."""
        wanted = unit.entry_layout()
        texts = []
        for name in unit.structure.tensors:
            wire = wires[name]
            if (wire.rank or 0) > 1 and wire.layout != wanted:
                texts.append(converted(wire, wanted)[0])
            else:
                texts.append(aligned([wire])[0][0])
        return texts

    # ------------------------------------------------------------------ classes

    def needed(self, unit: Unit) -> list[str]:
        """The functions whose classes a class makes, and those that these make, callees first."""
        read = used(unit)
        found: set[str] = set()
        for function, other in self.units.items():
            if other.name in read:
                found |= {function, *self.needed(other)}
        return [function for function in self.units if function in found]

    def classes(self, wanted: Sequence[str]) -> list[ModuleClass]:
        return [module_class(self.units[name]) for name in self.units if name in wanted]


def run(unit: Unit) -> None:
    """All steps of a function, as lines of ``forward``."""
    try:
        unit.run(unit.structure.body, set())
    except NotKept as error:
        place = "" if ": " in str(error) else f"{unit.structure.name}: "
        raise NotKept(f"{place}{error}") from None


def comes_out_last(wire: Wire) -> bool:
    """Whether a class returns maps or sequences channels last."""
    return wire.layout == "last" and (wire.rank or 0) > 1


def width_name(structure: Structure, tensor: str) -> str:
    """The constructor parameter for the width of a tensor that comes in."""
    shape = structure.shapes.get(tensor)
    kind = "features" if shape is not None and len(shape) == 1 else "channels"
    taken = {p.name for p in structure.parameters}
    name = f"in_{kind}"
    if len(structure.tensors) > 1 or name in taken:
        name = f"{tensor}_{kind}"
    return name


def translated(unit: Unit, width: str | None, given: Mapping[str, str]) -> str | None:
    """A width in the class's own variables, in those of its caller."""
    if width is None or width.startswith("@."):
        return width
    for _ in range(4):
        local = words(width) & set(unit.definitions)
        if not local:
            break
        for name in local:
            width = substituted(width, name, unit.definitions[name])
    own = {p.name for p in unit.structure.parameters} | unit.config
    if (words(width) & own) - set(given):
        return None
    marks = {name: f"‹{number}›" for number, name in enumerate(given)}
    for name, mark in marks.items():
        width = re.sub(rf"(?<![\w.]){re.escape(name)}\b", mark, width)
    for name, mark in marks.items():
        text = given[name]
        width = text if width == mark else width.replace(mark, factor(text))
    return width


def tell_widths(unit: Unit) -> None:
    """Widths that only the class can know become attributes of it: ``self.out_channels``."""
    unit.assigned -= set(unit.definitions)
    for number, wire in enumerate(unit.returns):
        if wire.width is None or not words(wire.width) & unit.assigned:
            continue
        name = "out_channels" if (wire.rank or 2) > 1 else "out_features"
        name += str(number + 1) if len(unit.returns) > 1 else ""
        unit.put(f"self.{name} = {wire.width}")
        unit.returns[number] = replace(wire, width=f"@.{name}")


def substituted(text: str, name: str, by: str) -> str:
    if text == name:
        return by
    return re.sub(rf"(?<![\w.]){re.escape(name)}\b", lambda _: factor(by), text)


# ---------------------------------------------------------------------- what is read, what is not


def plain(unit: Unit, code: Code) -> str:
    return "".join(unit.ctx.source_text(p) if isinstance(p, Span) else p for p in code)


def init_texts(unit: Unit, parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        match part:
            case Raw(code=code):
                yield plain(unit, code)
            case Block(header=header, body=body, orelse=orelse):
                yield plain(unit, header)
                yield from init_texts(unit, body)
                yield from init_texts(unit, orelse)
            case Entry(text=text):
                yield text


def read_names(text: str) -> set[str]:
    """The variables that statements read: not those that they only bind."""
    found: set[str] = set()
    for line in text.split("\n"):
        assigned = ASSIGNED.match(line)
        plain_store = assigned is not None and f"{assigned[1]} = " in line
        found |= words(line[assigned.end() :] if assigned and plain_store else line)
    return found


def used(unit: Unit) -> set[str]:
    """The variables that the class's ``__init__`` reads."""
    found = set(unit.kept)
    for text in init_texts(unit, unit.init):
        found |= read_names(text)
    return found


def removable(text: str) -> set[str] | None:
    """The variables a statement binds, if it does nothing else."""
    names: set[str] = set()
    for line in text.split("\n"):
        assigned = ASSIGNED.match(line)
        if assigned:
            names.add(assigned[1])
        elif line.strip() and not HEADER.match(line) and not line.strip().startswith("#"):
            return None
    return names if names or not text else None


def prune(unit: Unit) -> None:
    """Take out assignments that no other statement reads, until there are none."""
    while True:
        texts = list(init_texts(unit, unit.init))
        dead = {
            text
            for number, text in enumerate(texts)
            if unread(text, [t for i, t in enumerate(texts) if i != number], set(unit.kept))
        }
        if not dead:
            return
        unit.init = pruned(unit, unit.init, dead)


def unread(text: str, others: Sequence[str], kept: set[str]) -> bool:
    own = removable(text)
    if own is None or own & kept:
        return False
    return not any(own & read_names(other) for other in others)


def pruned(unit: Unit, parts: Sequence[Part], dead: set[str]) -> list[Part]:
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, Raw):
            if plain(unit, part.code) not in dead:
                kept.append(part)
        elif isinstance(part, Block):
            body = pruned(unit, part.body, dead)
            orelse = pruned(unit, part.orelse, dead)
            if body:
                kept.append(replace(part, body=tuple(body), orelse=tuple(orelse)))
        else:
            kept.append(part)
    return kept


# ---------------------------------------------------------------------- classes


def settled(unit: Unit) -> tuple[list[Part], list[Line], list[tuple[str, Op, Obj]]]:
    """What the class consists of, with the final names of its attributes."""
    names = unit.final(unit.counts)

    def named(text: str) -> str:
        return TOKEN.sub(lambda m: names[m[0]], text)

    def part(item: Part) -> Part:
        match item:
            case Raw(code=code, comments=comments):
                return Raw(tuple(named(p) if isinstance(p, str) else p for p in code), comments)
            case Block(header=header, body=body, orelse=orelse, comments=comments):
                return Block(header, tuple(map(part, body)), tuple(map(part, orelse)), comments)
        return item

    lines = [Line(named(x.text), x.comment, x.comments) for x in unit.lines]
    paths = [(named(path), op, layer) for path, op, layer in unit.paths]
    return [part(p) for p in unit.init], joined_return(lines), paths


def joined_return(lines: list[Line]) -> list[Line]:
    """``x = f(x)`` and ``return x`` in one line."""
    if len(lines) < 2:
        return lines
    last, before = lines[-1], lines[-2]
    name, _, value = before.text.partition(" = ")
    if last.text == f"return {name}" and name.isidentifier():
        note = "; ".join(n for n in (before.comment, last.comment) if n)
        return [*lines[:-2], Line(f"return {value}", note, (*before.comments, *last.comments))]
    return lines


def parameter_code(parameter: Parameter) -> Code:
    if parameter.default is None:
        return (parameter.name,)
    return (f"{parameter.name}=", parameter.default)


def module_class(unit: Unit) -> ModuleClass:
    init, lines, _ = settled(unit)
    read = used(unit)
    structure = unit.structure
    kept = [p for p in structure.parameters if p.name in read]
    return ModuleClass(
        name=unit.name,
        parameters=(
            *((name,) for name in unit.needs.values()),
            *(parameter_code(p) for p in kept),
        ),
        attributes=tuple(n for n in unit.kept if any(p.name == n for p in structure.parameters)),
        init=tuple(init) if lines else grouped(init),
        after=(),
        lazy=False,
        applies=False,
        forward=", ".join(structure.tensors),
        lines=tuple(lines),
        docstring=structure.docstring,
        origin=structure.span,
    )
