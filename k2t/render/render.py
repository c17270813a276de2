"""Torch IR to text: templates, emitted helpers, black."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from k2t.ir.program import Program
from k2t.ir.source import Code, Source, Span
from k2t.ir.torch import Block, Edit, Entry, Group, ModuleClass, Part, Raw, Snippet, TorchProgram
from k2t.render import aliases, emitted
from k2t.render.pieces import dedent, outermost, same

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Change:
    """Replace a span of the source by text; ``block`` marks whole statements (or new ones)."""

    span: Span
    text: str
    block: bool = False


@dataclass(frozen=True)
class Rendered:
    """What splice puts in: changes, statements to delete, code before a statement, class blocks."""

    changes: tuple[Change, ...]
    removed: tuple[Span, ...]
    before: tuple[tuple[Span, str], ...]
    blocks: tuple[tuple[Span, str], ...]
    imports: tuple[str, ...]
    proofs: tuple[tuple[str, str], ...] = ()


def render(program: Program, torch: TorchProgram, line_length: int) -> Rendered:
    """All generated text of a program, laid out by black with the given line length."""
    writer = Writer(program.source, torch, line_length)
    names = aliases.taken_modules(program.bound_names)
    return Rendered(
        changes=tuple(
            Change(c.span, aliases.rename(c.text, names), c.block) for c in writer.changes()
        ),
        removed=torch.removed,
        before=tuple(
            (span, aliases.rename(writer.text(code), names)) for span, code in torch.inserted
        ),
        blocks=tuple((span, aliases.rename(text, names)) for span, text in writer.blocks()),
        imports=torch.imports,
        proofs=tuple(
            (
                "\n\n".join([*writer.tables(), *map(writer.module, proof.classes)]),
                "\n\n".join([*writer.tables(), writer.module(proof.reference)]),
            )
            for proof in torch.proofs
        ),
    )


def collision(program: Program, rendered: Rendered) -> str | None:
    """A name that generated code needs for itself but the script has, if there is one."""
    names = aliases.taken_modules(program.bound_names)
    unclear = aliases.ambiguous(program.source.text, names)
    if unclear is not None:
        return unclear
    ours = aliases.defined(text for _, text in rendered.blocks)
    return next(iter(sorted(ours & program.bound_names)), None)


@cache
def environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )


def layout(text: str, line_length: int) -> str:
    """The text as black lays it out."""
    import black

    return black.format_str(text, mode=black.Mode(line_length=line_length))


def shorten_lines(text: str, original: str, line_length: int) -> str:
    """Lay out anew the simple statements that an edit made longer than the line length."""
    import ast

    if all(len(line) <= line_length for line in text.split("\n")):
        return text
    known = set(original.split("\n"))
    lines = text.split("\n")
    simple = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return
    found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, simple)]
    for stmt in sorted(found, key=lambda n: -n.lineno):
        first, last = stmt.lineno - 1, stmt.end_lineno or stmt.lineno
        own = lines[first:last]
        if not any(len(line) > line_length and line not in known for line in own):
            continue
        if own[0][: stmt.col_offset].strip() or lines[last - 1][stmt.end_col_offset :].strip():
            continue
        indent = " " * stmt.col_offset
        body = "\n".join([own[0][stmt.col_offset :], *own[1:]])
        if "\n" in body and ('"""' in body or "'''" in body):
            continue
        new = layout(body, max(line_length - stmt.col_offset, 40)).rstrip("\n")
        lines[first:last] = [indent + line if line else "" for line in new.split("\n")]
    return "\n".join(lines)


@dataclass
class Writer:
    """Turns code that points at the source into text, with the edits inside it applied."""

    source: Source
    torch: TorchProgram
    line_length: int
    names: Mapping[str, str] = field(default_factory=dict)

    # ------------------------------------------------------------------ source with edits

    def text(self, code: Code, around: Edit | None = None) -> str:
        return "".join(p if isinstance(p, str) else self.slice(p, around) for p in code)

    def slice(self, span: Span, around: Edit | None) -> str:
        """A piece of the source in which the edits are applied (but not the one around it)."""
        inner = [
            e
            for e in self.torch.edits
            if e.span in span and e is not around and not same(e, around)
        ]
        gone = [(s, "") for s in self.torch.removed if s in span]
        stops = [
            (Span(s.start, s.start), f"{self.text(c)}\n{' ' * self.indent(s)}")
            for s, c in self.torch.inserted
            if s in span and around is not None and around.dedent
        ]
        outer = outermost([*((e.span, self.inner_text(e)) for e in inner), *gone, *stops])
        parts, position = [], span.start
        for place, text in outer:
            parts.append(self.source.text[position : place.start])
            parts.append(text)
            position = place.end
        parts.append(self.source.text[position : span.end])
        return "".join(parts)

    def inner_text(self, edit: Edit) -> str:
        """The text of an edit inside a piece of source: statements keep its indentation."""
        text = self.edit_text(edit)
        if not isinstance(edit.code, Snippet):
            return text
        indent = " " * self.indent(edit.span)
        first, *rest = text.split("\n")
        return "\n".join([first, *(indent + line if line else "" for line in rest)])

    def edit_text(self, edit: Edit) -> str:
        if isinstance(edit.code, Snippet):
            return self.snippet(edit.code, edit)
        text = self.text(edit.code, edit)
        return dedent(text, self.indent(edit.span), self.kept_indent(edit)) if edit.dedent else text

    def kept_indent(self, edit: Edit) -> int:
        assert not isinstance(edit.code, Snippet)
        span = next(p for p in edit.code if isinstance(p, Span))
        return self.indent(span)

    def indent(self, span: Span) -> int:
        return self.source.column_of(span.start) - 1

    def snippet(self, snippet: Snippet, around: Edit) -> str:
        values = {
            k: self.text(v, around) if isinstance(v, tuple) else v
            for k, v in snippet.values.items()
        }
        defaults = dict.fromkeys(
            (
                "split",
                "x",
                "fraction",
                "lazy",
                "history",
                "History",
                "quiet",
                "val",
                "returns",
                "callbacks",
                "code",
            ),
            None,
        )
        width = max(self.line_length - self.indent(around.span), 40)
        values = {
            **defaults,
            "width": width,
            "applies": bool(self.torch.init),
            "init_weights": "init_weights",
            **values,
        }
        text = environment().get_template(f"{snippet.template}.py.j2").render(values)
        return layout(text, width).rstrip("\n")

    def changes(self) -> list[Change]:
        found = []
        for edit in self.torch.edits:
            if any(
                edit.span in o.span and edit is not o and not same(edit, o)
                for o in self.torch.edits
            ):
                continue
            if any(edit.span in s for s in self.torch.removed):
                continue
            block = isinstance(edit.code, Snippet)
            found.append(Change(edit.span, self.edit_text(edit), block))
        return found

    # ------------------------------------------------------------------ classes and helpers

    def blocks(self) -> list[tuple[Span, str]]:
        """Definitions, each with the top-level statement it stands before."""
        found: list[tuple[Span, str]] = []
        if self.torch.data_anchor is not None:
            found.append((self.torch.data_anchor, self.helpers(self.torch.data_helpers)))
        trained = [i for i, (_, cls) in enumerate(self.torch.classes) if cls.step is not None]
        for number, (anchor, cls) in enumerate(self.torch.classes):
            parts = []
            if number == 0:
                parts += [self.helpers(self.torch.helpers), *self.tables(), *self.init()]
            parts.append(self.module(cls))
            if number == (trained or [0])[0]:
                parts.append(self.helpers(self.torch.training_helpers))
            found.append((anchor, "\n\n\n".join(p for p in parts if p)))
        if not self.torch.classes and self.torch.training_helpers:
            raise AssertionError("helpers for training without a class")
        return [(span, layout(text, self.line_length).strip("\n")) for span, text in found]

    def helpers(self, wanted: Sequence[tuple[str, str]]) -> str:
        targets = dict(wanted)
        names = emitted.with_needs([name for name, _ in wanted])
        return "\n\n\n".join(emitted.source(n, targets.get(n, n)) for n in names)

    def tables(self) -> list[str]:
        lines = [
            f"{name} = {{{', '.join(f'{key!r}: {value}' for key, value in rows)}}}"
            for name, rows in self.torch.tables
        ]
        return ["\n".join(lines)] if lines else []

    def init(self) -> list[str]:
        if not self.torch.init:
            return []
        words = self.torch.init_words
        if len(words) + 36 > self.line_length:
            words = "for each kind of layer."
        values = {"name": "init_weights", "cases": self.torch.init, "words": words}
        return [environment().get_template("init.py.j2").render(values)]

    def module(self, cls: ModuleClass) -> str:
        base = "L.LightningModule" if cls.step is not None else "nn.Module"
        if cls.chained:
            base = "nn.Sequential"
        values = {
            "name": cls.name,
            "base": base,
            "chained": cls.chained,
            "comments": cls.comments,
            "docstring": self.docstring(cls),
            "parameters": [self.text(p) for p in cls.parameters],
            "attributes": cls.attributes,
            "groups": [self.group(g) for g in cls.init],
            "objects": cls.objects,
            "applies": cls.applies and not cls.lazy,
            "init_weights": "init_weights",
            "after": [f"{x.text}  # {x.comment}" if x.comment else x.text for x in cls.after],
            "forward": cls.forward,
            "lines": cls.lines,
            "penalty": cls.penalty,
            "constraints": cls.constraints,
            "step": cls.step,
            "logs": self.logs(cls, cls.step.logs if cls.step is not None else ()),
            "means": self.logs(cls, cls.step.means if cls.step is not None else ()),
            "predict": cls.predict,
            "before_predict": cls.before_predict,
            "optimizer": cls.optimizer,
            "validates": cls.validates,
            "tests": cls.tests,
            "epoch_hook": cls.epoch_hook,
            "batchwise": cls.batchwise,
        }
        return str(environment().get_template("module.py.j2").render(values))

    def logs(self, cls: ModuleClass, pairs: Sequence[tuple[str, str]]) -> str:
        """The entries of the dictionary that is logged, under Keras's names."""
        prefix = ("f", "{prefix}") if cls.validates else ("", "")
        return ", ".join(f'{prefix[0]}"{prefix[1]}{key}": {value}' for key, value in pairs)

    def docstring(self, cls: ModuleClass) -> str | None:
        if cls.docstring is None:
            return None
        text = self.source.slice(cls.docstring)
        shift = self.indent(cls.docstring)
        return "\n".join(
            line[shift:] if line[:shift].isspace() else line for line in text.split("\n")
        )

    # ------------------------------------------------------------------ parts of __init__

    def group(self, group: Group | Part) -> dict[str, Any]:
        if isinstance(group, Block | Entry):
            return {"kind": "tree", "parts": [self.part(group)], "comments": ()}
        if isinstance(group, Raw):
            return {"kind": "raw", "text": self.statement(group), "comments": group.comments}
        if group.name and group.single:
            entry = group.parts[0]
            return {
                "kind": "single",
                "name": group.name,
                "text": entry.text,  # type: ignore[union-attr]
                "comments": (*group.comments, *entry.comments),
            }
        if group.name and group.flat:
            entries = [self.part(p) for p in group.parts]
            return {
                "kind": "flat",
                "name": group.name,
                "entries": entries,
                "comments": group.comments,
            }
        parts = list(group.parts)
        head: list[Any] = []
        while parts and isinstance(parts[0], Entry):
            head.append(self.part(parts.pop(0)))
        line = ", ".join(item["text"] for item in head)
        return {
            "kind": "listed" if group.name else "itself",
            "short": len(line) < self.line_length - 26 and not any(i["comments"] for i in head),
            "name": group.name,
            "target": "layers" if group.name else "self",
            "head": head,
            "rest": self.runs(parts),
            "comments": group.comments,
        }

    def part(self, part: Part) -> dict[str, Any]:
        match part:
            case Entry(text=text, comments=comments):
                return {"kind": "entry", "text": text, "comments": comments}
            case Raw():
                return {"kind": "raw", "text": self.statement(part), "comments": part.comments}
            case Block(header=header, body=body, orelse=orelse, comments=comments):
                return {
                    "kind": "block",
                    "header": self.text(header),
                    "body": self.runs(list(body)),
                    "orelse": self.runs(list(orelse)),
                    "comments": comments,
                }

    def runs(self, parts: list[Part]) -> list[dict[str, Any]]:
        """Consecutive modules as one ``+= [...]``, a single one as ``append``."""
        out: list[dict[str, Any]] = []
        entries: list[dict[str, Any]] = []

        def flush() -> None:
            if len(entries) == 1:
                only = entries[0]
                out.append({"kind": "one", "text": only["text"], "comments": only["comments"]})
            elif entries:
                out.append({"kind": "run", "entries": list(entries), "comments": ()})
            entries.clear()

        for part in parts:
            if isinstance(part, Entry):
                entries.append(self.part(part))
            else:
                flush()
                out.append(self.part(part))
        flush()
        return out

    def statement(self, raw: Raw) -> str:
        """A statement of the user, out of its indentation."""
        text = self.text(raw.code)
        spans = [p for p in raw.code if isinstance(p, Span)]
        return dedent(text, 0, self.indent(spans[0])) if spans else text
