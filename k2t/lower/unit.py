"""A structure becomes a module class: what ``__init__`` makes, how data flow in ``forward``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from k2t.ir.source import Code, Span
from k2t.ir.structure import (
    Append,
    Computed,
    Flow,
    Hold,
    Invoke,
    Keep,
    Let,
    Many,
    Operator,
    Repeat,
    Return,
    Site,
    Step,
    Structure,
    Taken,
    Text,
    Use,
    Var,
    When,
    Width,
)
from k2t.ir.torch import Line, Part, Raw
from k2t.ir.values import Obj
from k2t.lower.application import layer
from k2t.lower.groups import join_notes
from k2t.lower.initial import own_names
from k2t.lower.liveness import live
from k2t.lower.merges import arithmetic, computed, element, layer_of, merged
from k2t.lower.naming import RESERVED
from k2t.lower.ops import SOMEWHERE, Context, Op, member, snake
from k2t.lower.wires import Bundle, NotKept, Wire, converted, factor, of_module, words

if TYPE_CHECKING:
    from k2t.lower.library import Library

INDENT = "    "


@dataclass
class Slot:
    """Where a layer that the script holds in a variable is made: filled at its first use.

    ``local``: a variable of ``__init__`` holds it, which is put into a chain.
    """

    parts: list[Part]
    index: int
    place: int
    attribute: str
    comments: tuple[str, ...]
    ops: list[Op] | None = None
    local: bool = False


@dataclass
class Unit:
    """One class in the making."""

    ctx: Context
    library: Library
    structure: Structure
    name: str
    folded: Sequence[int] = ()
    init: list[Part] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    depth: int = 0
    place: int = 0
    places: int = 0
    env: dict[str, Wire | Bundle] = field(default_factory=dict)
    config: set[str] = field(default_factory=set)
    kept: dict[str, None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    paths: list[tuple[str, Op, Obj]] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    returns: list[Wire] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    lists: dict[str, str] | None = None
    shared: list[Part] = field(default_factory=list)
    changing: frozenset[str] = frozenset()
    optional: int = 0
    following: Sequence[Step] = ()
    outermost: bool = False

    # ------------------------------------------------------------------ whole class

    def start(self, widths: dict[str, str | None]) -> None:
        """Bind the tensors that come in; ``widths``: how ``__init__`` knows their last axes."""
        wanted = self.entry_layout()
        for name in self.structure.tensors:
            shape = self.structure.shapes.get(name)
            rank = len(shape) if shape is not None else None
            layout = wanted if (rank or 0) > 1 else "last"
            self.env[name] = Wire(name, layout, rank, widths.get(name))
        self.config = {p.name for p in self.structure.parameters}
        self.config |= {w for w in widths.values() if w is not None and w.isidentifier()}

    def entry_layout(self) -> str:
        """How the class wants its maps: channels first if a layer of it does."""
        return "first" if self.library.wants_first(self.structure) else "last"

    def run(self, steps: Sequence[Step], after: set[str]) -> None:
        for number, step in enumerate(steps):
            rest = live(steps[number + 1 :], after)
            self.following = steps[number + 1 :]
            self.step(step, rest)
            self.env = {k: v for k, v in self.env.items() if k in rest}

    def step(self, step: Step, rest: set[str]) -> None:
        match step:
            case Keep():
                self.keep(step, rest)
            case Hold(site=site, comments=comments):
                self.hold(site, comments)
            case Let(names=names, flow=flow, comments=comments):
                if isinstance(flow, Var) and flow.name not in rest and not comments:
                    self.env[names[0]] = self.env[flow.name]  # the same tensor under another name
                else:
                    self.let(names, flow, comments)
            case Append(name=name, flow=flow, comments=comments):
                self.append(name, flow, comments)
            case When():
                from k2t.lower.branches import when

                when(self, step, rest)
            case Repeat():
                from k2t.lower.rounds import repeat

                repeat(self, step, rest)
            case Return(flows=flows, comments=comments):
                self.leave(flows, comments)

    # ------------------------------------------------------------------ text

    def code(self, text: Text) -> Code:
        """Configuration for ``__init__``: the source, with widths of tensors put in."""
        return tuple(self.width_text(p) if isinstance(p, Width) else p for p in text)

    def source(self, text: Text) -> str:
        return "".join(
            self.ctx.source_text(p) if isinstance(p, Span) else p for p in self.code(text)
        )

    def width_text(self, part: Width) -> str:
        wire = self.env.get(part.name)
        if not isinstance(wire, Wire) or wire.width is None:
            raise NotKept(f"the width of {part.name} is not known")
        return factor(wire.width)

    def say(self, text: str, note: str = "", comments: tuple[str, ...] = ()) -> None:
        """A line of ``forward``."""
        pad = INDENT * self.depth
        self.lines.append(Line(pad + text, note, tuple(pad + c for c in comments)))

    def put(self, text: str, comments: tuple[str, ...] = ()) -> None:
        """A statement of ``__init__``."""
        self.init.append(Raw((text,), comments))

    # ------------------------------------------------------------------ names

    def token(self, stem: str) -> str:
        """An attribute's name to be: numbers are given when all are known."""
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"‹{stem}.{self.counts[stem]}›"

    def final(self, totals: dict[str, int]) -> dict[str, str]:
        """The names behind the tokens."""
        taken = {*RESERVED, *self.kept}
        names: dict[str, str] = {}
        for stem, count in totals.items():
            for number in range(1, count + 1):
                name = stem if count == 1 else f"{stem}{number}"
                while name in taken:
                    name += "_"
                taken.add(name)
                names[f"‹{stem}.{number}›"] = name
        return names

    # ------------------------------------------------------------------ configuration

    def keep(self, step: Keep, rest: set[str]) -> None:
        self.spill(step.stored, rest)
        self.init.append(Raw(self.code(step.text), step.comments))
        self.config |= step.stored
        self.assigned |= step.stored
        text = self.source(step.text)
        simple = re.fullmatch(r"(\w+) = ([^\n]+)", text)
        for name in step.stored:
            self.definitions.pop(name, None)
        if simple and self.place == 0:
            self.definitions[simple[1]] = simple[2]

    def spill(self, names: frozenset[str], rest: set[str]) -> None:
        """Save the width of a tensor before a variable that it is written with changes."""
        for name, wire in list(self.env.items()):
            if name not in rest or not isinstance(wire, Wire) or wire.width is None:
                continue
            if words(wire.width) & names:
                self.env[name] = replace(wire, width=self.save(name, wire))

    def save(self, name: str, wire: Wire) -> str:
        assert wire.width is not None
        variable = self.running_name(name, wire)
        if wire.width != variable:
            self.put(f"{variable} = {wire.width}")
        self.assigned.add(variable)
        return variable

    def running_name(self, name: str, wire: Wire) -> str:
        """The variable of ``__init__`` that follows the width of a tensor."""
        common = "in_channels" if (wire.rank or 2) > 1 else "in_features"
        other = f"{name}_channels" if (wire.rank or 2) > 1 else f"{name}_features"
        used = {
            w
            for key, one in self.env.items()
            if key != name and isinstance(one, Wire) and one.width
            for w in words(one.width)
        }
        taken = used | {p.name for p in self.structure.parameters}
        return common if common not in taken else other

    # ------------------------------------------------------------------ steps

    def hold(self, site: Site, comments: tuple[str, ...]) -> None:
        assert site.held is not None
        self.init.append(Raw(("",)))
        attribute = self.token(site.held)
        self.slots[site.held] = Slot(self.init, len(self.init) - 1, self.place, attribute, comments)

    def let(self, names: tuple[str, ...], flow: Flow, comments: tuple[str, ...]) -> None:
        if len(names) > 1:
            assert isinstance(flow, Invoke)
            text, wires = self.invoke(flow, comments)
            if len(wires) != len(names):
                raise NotKept("a function that returns another number of tensors")
            self.say(f"{', '.join(names)} = {text}")
            for name, wire in zip(names, wires, strict=True):
                self.env[name] = replace(wire, text=name)
            return
        name = names[0]
        if isinstance(flow, Many) or isinstance(self.lookup(flow), Bundle):
            self.let_list(name, flow)
            return
        before = len(self.init)
        wire, note = self.flow(flow, comments)
        made = len(self.init) > before or (isinstance(flow, Use) and flow.site.held is not None)
        if wire.text != name:
            self.say(f"{name} = {wire.text}", note, () if made else comments)
        self.env[name] = replace(wire, text=name)

    def lookup(self, flow: Flow) -> Wire | Bundle | None:
        return self.env.get(flow.name) if isinstance(flow, Var) else None

    def let_list(self, name: str, flow: Flow) -> None:
        if not isinstance(flow, Many):
            raise NotKept("a list of tensors under two names")
        wires = [self.flow(item)[0] for item in flow.items]
        self.say(f"{name} = [{', '.join(w.text for w in wires)}]")
        layout, rank = (wires[0].layout, wires[0].rank) if wires else ("last", None)
        self.env[name] = Bundle(name, tuple(wires), None, layout, rank)

    def append(self, name: str, flow: Flow, comments: tuple[str, ...]) -> None:
        bundle = self.env.get(name)
        if not isinstance(bundle, Bundle):
            raise NotKept(f"{name} is no list that is known")
        wire, note = self.flow(flow, comments)
        if bundle.layout != wire.layout and bundle.rank is not None:
            raise NotKept(f"the tensors in {name} are laid out in different ways")
        self.say(f"{name}.append({wire.text})", note)
        bundle = replace(bundle, layout=wire.layout, rank=wire.rank)
        if bundle.widths is not None:
            if wire.width is None:
                raise NotKept(f"the widths of the tensors in {name} are not known")
            self.put(f"{bundle.widths}.append({wire.width})")
        else:
            assert bundle.items is not None
            bundle = replace(bundle, items=(*bundle.items, wire))
        self.env[name] = bundle

    def leave(self, flows: tuple[Flow, ...], comments: tuple[str, ...]) -> None:
        wires, notes = [], ""
        for flow in flows:
            wire, note = self.flow(flow, comments)
            if self.outermost and wire.layout == "first" and (wire.rank or 0) > 1:
                wire = replace(wire, text=converted(wire, "last")[0])
            wires.append(wire)
            notes = join_notes(notes, note)
        self.returns = wires
        self.say(f"return {', '.join(w.text for w in wires)}", notes)

    # ------------------------------------------------------------------ expressions

    def flow(self, flow: Flow, comments: tuple[str, ...] = ()) -> tuple[Wire, str]:
        """The expression of ``forward`` for a tensor, and the remark for its line."""
        match flow:
            case Var(name=name):
                wire = self.env.get(name)
                if not isinstance(wire, Wire):
                    raise NotKept(f"{name} is not known as a tensor here")
                return wire, ""
            case Use():
                if self.ctx.row(layer_of(flow)).get("shape") in ("merge", "concat"):
                    return merged(self, flow), ""
                return layer(self, flow, comments)
            case Invoke():
                text, wires = self.invoke(flow, comments)
                if len(wires) != 1:
                    raise NotKept("a function that returns several tensors")
                return replace(wires[0], text=text), ""
            case Operator():
                return arithmetic(self, flow), ""
            case Computed():
                return computed(self, flow), ""
            case Taken():
                return element(self, flow), ""
        raise NotKept("a list where a tensor is wanted")

    def create(
        self, stem: str, text: str, op: Op | None, layer: Obj | None, comments: tuple[str, ...]
    ) -> str:
        """A module as an attribute; in a loop one for every round, in a list."""
        if self.lists is not None:
            from k2t.lower.listed import create_in_list

            return create_in_list(self, stem, text, op, layer, comments)
        attribute = self.token(stem)
        self.put(f"self.{attribute} = {text}", comments)
        self.path(attribute, op, layer)
        return f"self.{attribute}"

    def path(self, attribute: str, op: Op | None, layer: Obj | None) -> None:
        if op is not None and layer is not None:
            sure = not self.optional and self.place == 0
            self.paths.append((member("self", attribute) if sure else SOMEWHERE, op, layer))

    def invoke(self, flow: Invoke, comments: tuple[str, ...]) -> tuple[str, list[Wire]]:
        text, outs, texts = self.library.call(self, flow)
        callee = self.create(snake(flow.function).strip("_"), text, None, None, comments)
        outs = [replace(o, width=of_module(o.width, callee)) for o in outs]
        return f"{callee}({', '.join(texts)})", outs

    def in_forward(self, text: str) -> str:
        """Configuration read in ``forward``: its variables become attributes."""
        read = sorted(words(text) & self.config)
        if read and self.place:
            raise NotKept("forward would depend on a variable of a loop")
        for name in read:
            self.kept[name] = None
            if not any(p.name == name for p in self.structure.parameters):
                self.put(f"self.{name} = {name}")
        return own_names(text, {name: f"self.{name}" for name in read})

    # ------------------------------------------------------------------ blocks and retries

    @contextmanager
    def block(self) -> Iterator[list[Part]]:
        """Statements of ``__init__`` are gathered apart."""
        outer, self.init = self.init, []
        try:
            yield self.init
        finally:
            self.init = outer

    def mark(self) -> tuple[object, ...]:
        return (
            len(self.init), len(self.lines), self.depth, self.place, self.places, dict(self.env),
            set(self.config), dict(self.kept), dict(self.counts), len(self.paths),
            {k: replace(s) for k, s in self.slots.items()}, dict(self.definitions),
            dict(self.lists) if self.lists is not None else None, self.optional,
        )  # fmt: skip

    def reset(self, mark: tuple) -> None:  # type: ignore[type-arg]
        inits, lines, self.depth, self.place, self.places, env, config = mark[:7]
        del self.init[inits:]
        del self.lines[lines:]
        self.env, self.config, self.kept = dict(env), set(config), dict(mark[7])
        self.counts = dict(mark[8])
        del self.paths[mark[9] :]
        self.slots, self.definitions = dict(mark[10]), dict(mark[11])
        self.lists = dict(mark[12]) if mark[12] is not None else None
        self.optional = mark[13]
