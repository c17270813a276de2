"""Pieces of a chain into attributes of a module and the lines of its forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from k2t.ir.program import Loop, Plain
from k2t.ir.torch import Block, Entry, Group, Line, ModuleClass, Part, Raw
from k2t.ir.values import Obj
from k2t.lower.brackets import filled, reads_again
from k2t.lower.ops import Op
from k2t.lower.pieces import AnyPiece, BlockPiece, Piece


@dataclass
class Chain:
    """What ``__init__`` makes, the lines of ``forward``, and where each layer's module ended up.

    ``units`` are classes of functions that it uses, ``references`` the same model layer by
    layer, for each of its graphs;
    ``passed`` are variables around the model that its constructor has to be given; ``masked`` is
    where the output's steps count, as a test of the model's input.
    """

    groups: list[Group | Part]
    lines: list[Line]
    paths: list[tuple[str, Op, Obj]]
    units: tuple[ModuleClass, ...] = ()
    references: tuple[Chain, ...] = ()
    passed: tuple[str, ...] = ()
    masked: str | None = None


def regular(piece: AnyPiece) -> bool:
    """Whether a piece can stand in an ``nn.Sequential``."""
    if isinstance(piece, Piece):
        op = piece.op
        return op.module is not None and not op.lines and (op.call is None or "{m}" not in op.call)
    if isinstance(piece, BlockPiece) and len(piece.body) == 1:
        return regular(piece.body[0])
    return True


def split(pieces: list[AnyPiece]) -> list[list[AnyPiece]]:
    """Runs of pieces that go into one group; an irregular piece is a run of its own."""
    runs: list[list[AnyPiece]] = []
    for piece in pieces:
        if regular(piece):
            if runs and regular(runs[-1][-1]):
                runs[-1].append(piece)
            else:
                runs.append([piece])
        else:
            runs.append([piece])
    return runs


def group_names(runs: list[list[AnyPiece]], classifies: bool) -> list[str]:
    """Names for the groups: layers; features and classifier or head; else by the first module."""
    count = [i for i, run in enumerate(runs) if regular(run[0]) and size(run) > 1]
    names = [""] * len(runs)
    taken: dict[str, int] = {}
    for i, run in enumerate(runs):
        if i in count:
            convolutional = any(op.stem == "conv" for op in ops_in(run))
            last = i == max(count)
            if len(count) == 1 and (
                i == 0 or not any(has_module(r) for j, r in enumerate(runs) if j != i)
            ):
                name = "layers"
            elif last and not convolutional:
                name = "classifier" if classifies else "head"
            elif convolutional:
                name = "features"
            else:
                name = "embedding" if next(ops_in(run)).stem == "embedding" else "block"
        elif has_module(run):
            name = next(ops_in(run)).stem
        else:
            continue
        number = taken.get(name, 0)
        taken[name] = number + 1
        names[i] = name if number == 0 else f"{name}{number + 1}"
    return names


def has_module(run: list[AnyPiece]) -> bool:
    return any(op.module is not None for op in ops_in(run))


def size(run: list[AnyPiece]) -> int:
    return sum(2 if isinstance(p, BlockPiece) else 1 for p in run if not isinstance(p, str | Plain))


def ops_in(run: list[AnyPiece] | tuple[AnyPiece, ...]) -> Iterator[Op]:
    for piece in run:
        if isinstance(piece, Piece):
            yield piece.op
        elif isinstance(piece, BlockPiece):
            yield from ops_in(piece.body)
            yield from ops_in(piece.orelse)


def parts_of(pieces: list[AnyPiece] | tuple[AnyPiece, ...]) -> tuple[Part, ...]:
    """Pieces as parts of a group."""
    parts: list[Part] = []
    for piece in pieces:
        match piece:
            case Piece(op=op, comments=comments):
                extra = (f"# {op.comment}",) if op.comment else ()
                parts.append(Entry(op.module or "", (*comments, *extra)))
            case Plain(span=span, comments=comments):
                parts.append(Raw((span,), comments))
            case str():
                parts.append(Raw((piece,)))
            case BlockPiece(item=item, body=body, orelse=orelse, before=before):
                if before is not None:
                    parts.append(Raw((before,)))
                header = (item.header,) if isinstance(item, Loop) else ("if ", item.test)
                parts.append(Block(header, parts_of(body), parts_of(orelse), item.comments))
    return tuple(parts)


def assemble(pieces: list[AnyPiece], classifies: bool, argument: str, ending: str) -> Chain:
    """Group the pieces and write the forward lines; ``ending`` is the comment on the return."""
    runs = split(pieces)
    names = group_names(runs, classifies)
    groups: list[Group | Part] = []
    lines: list[Line] = []
    paths: list[tuple[str, Op, Obj]] = []
    current, pending = argument, ""
    for run, name in zip(runs, names, strict=True):
        piece = run[0]
        if all(isinstance(p, str | Plain) for p in run):
            groups.extend(raw for raw in parts_of(run) if isinstance(raw, Raw))
            continue
        if regular(piece):
            groups.append(headed(Group(name, parts_of(run)), piece))
            paths.extend(module_paths(f"self.{name}", run))
            text, notes = f"self.{name}({current})", ""
        elif isinstance(piece, BlockPiece):
            if current != "x":
                lines.append(Line(f"x = {current}", pending))
            rounds(piece, name, groups, lines, paths)
            current, pending = "x", ""
            continue
        else:
            assert isinstance(piece, Piece)
            op = piece.op
            if op.module is not None:
                groups.append(Group(name, (Entry(op.module, piece.comments),)))
                if piece.layer is not None:
                    paths.append((f"self.{name}", op, piece.layer))
            if op.module is None and reads_again(current, (op.call or "",)):
                lines.append(Line(f"x = {current}", pending))
                current, pending = "x", ""
            values = {"x": current, "m": f"self.{name}"}
            lines.extend(Line(fill(line, values), comments=()) for line in op.lines)
            text, notes = filled(op.call or "{m}({x})", values), op.comment
            if op.module is None and not op.lines and len(text) < 40 and not to_last(pending):
                current = text
                pending = join_notes(pending, notes)
                continue
            if to_last(pending) and op.call == "{x}.flatten(1)":
                pending = "flattened in Keras's order"
            piece_comments = piece.comments if op.module is None else ()
            lines.append(Line(f"x = {text}", join_notes(pending, notes), piece_comments))
            current, pending = "x", ""
            continue
        lines.append(Line(f"x = {text}", pending))
        current, pending = "x", ""
    finish(lines, current, pending, ending)
    return Chain(groups, lines, paths)


def rounds(
    piece: BlockPiece,
    name: str,
    groups: list[Group | Part],
    lines: list[Line],
    paths: list[tuple[str, Op, Obj]],
) -> None:
    """A loop around a module that gives more than one tensor: a list, called one by one."""
    inner = piece.body[0]
    assert isinstance(inner, Piece)
    assert isinstance(piece.item, Loop)
    op, one = inner.op, name.rstrip("0123456789")
    every = f"self.{one}s"
    if any(path.startswith(every) for path, _, _ in paths):
        every += name.removeprefix(one)
    made = (f"{every} = nn.ModuleList({op.module} ", piece.item.header, ")")
    groups.append(Raw(made, (*piece.item.comments, *inner.comments)))
    if inner.layer is not None:
        paths.append((f"{every}[?]", op, inner.layer))
    values = {"x": "x", "m": one}
    body = [*(fill(line, values) for line in op.lines), f"x = {fill(op.call or '', values)}"]
    lines.append(Line(f"for {one} in {every}:", op.comment))
    lines.extend(Line("    " + line) for line in body)


def headed(group: Group, piece: AnyPiece) -> Group:
    """The comments above the first module of several stand above them all."""
    first = group.parts[0]
    if group.single or not isinstance(piece, Piece) or not isinstance(first, Entry):
        return group
    rest = first.comments[len(piece.comments) :]
    return Group(group.name, (Entry(first.text, rest), *group.parts[1:]), piece.comments)


def to_last(note: str) -> bool:
    """Whether the note is that of a conversion to channels last."""
    return note.endswith(("NHWC", "NLC", "NDHWC"))


def finish(lines: list[Line], current: str, pending: str, ending: str) -> None:
    """Turn the last assignment into the return."""
    note = join_notes(pending, ending)
    last = lines[-1] if lines else None
    if (
        current == "x"
        and last is not None
        and last.text.startswith("x = ")
        and not (last.comment and ending)
    ):
        lines.pop()
        lines.append(
            Line("return " + last.text[4:], join_notes(last.comment, ending), last.comments)
        )
    else:
        lines.append(Line(f"return {current}", note))


def join_notes(*notes: str) -> str:
    return "; ".join(n for n in notes if n)


def fill(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def module_paths(base: str, run: list[AnyPiece]) -> Iterator[tuple[str, Op, Obj]]:
    """The attribute path of each module (``self.layers[3]``; from the end after a loop)."""
    flat = [p for p in run if not isinstance(p, str | Plain)]
    if len(flat) == 1 and isinstance(flat[0], Piece):
        if flat[0].layer is not None:
            yield base, flat[0].op, flat[0].layer
        return
    seen_block = False
    for index, piece in enumerate(flat):
        if isinstance(piece, BlockPiece):
            seen_block = True
            for op, layer in block_ops(piece):
                yield f"{base}[?]", op, layer
            continue
        number = index - len(flat) if seen_block else index
        if seen_block and any(isinstance(p, BlockPiece) for p in flat[index:]):
            path = f"{base}[?]"
        else:
            path = f"{base}[{number}]"
        if piece.layer is not None:
            yield path, piece.op, piece.layer


def block_ops(block: BlockPiece) -> Iterator[tuple[Op, Obj]]:
    for piece in (*block.body, *block.orelse):
        if isinstance(piece, Piece) and piece.layer is not None:
            yield piece.op, piece.layer
        elif isinstance(piece, BlockPiece):
            yield from block_ops(piece)
