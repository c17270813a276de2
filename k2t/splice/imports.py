"""The import block: Keras's lines go, torch's come, sorted as the user's are."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from k2t.ir.source import FRAMEWORKS


def import_changes(text: str, wanted: list[str]) -> str:
    """The text with Keras's imports taken out and the wanted ones put in."""
    tree = ast.parse(text)
    lines = text.split("\n")
    present = {canonical_line(s) for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)}
    new = [w for w in merged(wanted) if w not in present]
    place: int | None = None
    drop: dict[int, str | None] = {}
    for stmt in ast.walk(tree):
        if not isinstance(stmt, ast.Import | ast.ImportFrom) or not foreign(stmt):
            continue
        kept = kept_text(stmt)
        indent = " " * stmt.col_offset
        for number in range(stmt.lineno, (stmt.end_lineno or stmt.lineno) + 1):
            drop[number] = None
        if kept is not None or only_statement(tree, stmt):
            drop[stmt.lineno] = indent + (kept or "pass")
        if stmt.col_offset == 0 and (place is None or stmt.lineno < place):
            place = stmt.lineno
    if place is None:
        place = after_header(tree, lines)
    return rebuild(lines, tree, drop, new, place)


def foreign(stmt: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(stmt, ast.ImportFrom):
        module = stmt.module or ""
        return stmt.level == 0 and (module.split(".")[0] in FRAMEWORKS or module == "tqdm.keras")
    return any(a.name.split(".")[0] in FRAMEWORKS for a in stmt.names)


def kept_text(stmt: ast.Import | ast.ImportFrom) -> str | None:
    if isinstance(stmt, ast.ImportFrom):
        return None
    kept = [a for a in stmt.names if a.name.split(".")[0] not in FRAMEWORKS]
    names = ", ".join(f"{a.name} as {a.asname}" if a.asname else a.name for a in kept)
    return f"import {names}" if names else None


def only_statement(tree: ast.Module, stmt: ast.stmt) -> bool:
    """Whether a block would be empty without this statement."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and stmt in body and not isinstance(node, ast.Module):
                return all(isinstance(s, ast.Import | ast.ImportFrom) and foreign(s) for s in body)
    return False


def canonical_line(stmt: ast.Import | ast.ImportFrom) -> str:
    names = ", ".join(f"{a.name} as {a.asname}" if a.asname else a.name for a in stmt.names)
    if isinstance(stmt, ast.Import):
        return f"import {names}"
    return f"from {'.' * stmt.level}{stmt.module or ''} import {names}"


def merged(lines: Iterable[str]) -> list[str]:
    """One line per module: ``from m import a`` and ``from m import b`` become one."""
    plain: list[str] = []
    names: dict[str, set[str]] = {}
    for line in dict.fromkeys(lines):
        if line.startswith("from "):
            module, _, name = line[5:].partition(" import ")
            names.setdefault(module, set()).add(name)
        else:
            plain.append(line)
    froms = [f"from {m} import {', '.join(sorted(n))}" for m, n in names.items()]
    return sorted(plain, key=key) + sorted(froms, key=key)


def key(line: str) -> tuple[int, str]:
    """isort's order: ``import`` before ``from``, then by module."""
    words = line.split()
    return (0 if words[0] == "import" else 1, words[1].lower())


def standard(line: str) -> bool:
    return line.split()[1].split(".")[0].rstrip(",") in sys.stdlib_module_names


def after_header(tree: ast.Module, lines: list[str]) -> int:
    """The line before which imports go in a script that imports Keras nowhere at its top."""
    line = 1
    for stmt in tree.body:
        docstring = isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)
        future = isinstance(stmt, ast.ImportFrom) and stmt.module == "__future__"
        if not docstring and not future:
            break
        line = (stmt.end_lineno or stmt.lineno) + 1
    while line <= len(lines) and not lines[line - 1].strip():
        line += 1
    return line


def rebuild(
    lines: list[str], tree: ast.Module, drop: dict[int, str | None], new: list[str], place: int
) -> str:
    """Put the new lines in; where the user's block is sorted, each at its place."""
    std = [n for n in new if standard(n)]
    rest = [n for n in new if not standard(n)]
    starts = {s.lineno: s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)}
    first, last = block_around(lines, starts, place)
    kept: list[tuple[tuple[int, str] | None, list[str]]] = []
    number = first
    while number <= last:
        stmt = starts.get(number)
        end = (stmt.end_lineno or number) if stmt is not None else number
        text = [lines[i - 1] for i in range(number, end + 1)]
        if number in drop:
            replaced = drop[number]
            if replaced is not None:
                kept.append((key(replaced), [replaced]))
        else:
            kept.append((key(text[0]) if stmt is not None else None, text))
        number = end + 1
    keys = [k for k, _ in kept if k is not None]
    block: list[str] = []
    if all(k is not None for k, _ in kept) and keys == sorted(keys):
        both = [(k, t) for k, t in kept if k is not None] + [(key(n), [n]) for n in rest]
        if not keys or not any(standard(t[0]) for _, t in kept):
            for _, text in sorted(both, key=lambda item: item[0]):
                block += text
        else:
            block = [t for _, text in kept for t in text] + rest
            std = [*std]
    else:
        future = [t for k, t in kept if t[0].startswith("from __future__")]
        others = [t for k, t in kept if not t[0].startswith("from __future__")]
        block = [line for text in future for line in text]
        block += ([""] if future and rest else []) + rest
        block += [line for text in others for line in text]
    head = kept_lines(lines, drop, 1, first)
    tail = kept_lines(lines, drop, last + 1, len(lines) + 1)
    if std:
        head, block = add_standard(head, block, std, tree)
    return squeeze("\n".join([*head, *block, *tail]))


def kept_lines(lines: list[str], drop: dict[int, str | None], start: int, stop: int) -> list[str]:
    out = []
    for number in range(start, stop):
        if number in drop:
            replaced = drop[number]
            if replaced is not None:
                out.append(replaced)
            continue
        out.append(lines[number - 1])
    return out


def block_around(
    lines: list[str], starts: dict[int, ast.Import | ast.ImportFrom], place: int
) -> tuple[int, int]:
    """First and last line of the imports around a line (none: place, place - 1)."""
    inside: set[int] = set()
    for number, stmt in starts.items():
        inside.update(range(number, (stmt.end_lineno or number) + 1))
    if place not in inside:
        return place, place - 1
    first = last = place
    while first - 1 in inside or comment_in(lines, inside, first - 1):
        first -= 1
    while last + 1 in inside or comment_in(lines, inside, last + 1):
        last += 1
    return first, last


def comment_in(lines: list[str], inside: set[int], number: int) -> bool:
    """A comment line between two imports belongs to the block."""
    if not 1 <= number <= len(lines) or not lines[number - 1].startswith("#"):
        return False
    return number - 1 in inside and number + 1 in inside


def add_standard(
    head: list[str], block: list[str], std: list[str], tree: ast.Module
) -> tuple[list[str], list[str]]:
    """Standard library imports: into the user's section of them, or one of their own."""
    if any(line.startswith(("import ", "from ")) and standard(line) for line in block):
        return head, insert_sorted(block, std)
    places = [
        i
        for i, line in enumerate(head)
        if line.startswith(("import ", "from ")) and standard(line) and "__future__" not in line
    ]
    if places:
        section = head[places[0] : places[-1] + 1]
        return [*head[: places[0]], *insert_sorted(section, std), *head[places[-1] + 1 :]], block
    future = [i for i, line in enumerate(head) if line.startswith("from __future__")]
    if future:
        at = future[-1] + 1
        rest = head[at:] if head[at : at + 1] == [""] else ["", *head[at:]]
        return [*head[:at], "", *std, *rest], block
    return head, [*std, "", *block]


def insert_sorted(section: list[str], std: list[str]) -> list[str]:
    """Put lines where they belong in a sorted section, else at its start."""
    if section[0].startswith("from __future__"):
        rest = section[1:]
        blank = [""] if rest[:1] == [""] else []
        return [section[0], *blank, *insert_sorted(rest[len(blank) :] or [""], std)]
    imports = [line for line in section if line.startswith(("import ", "from "))]
    if imports == section and [key(i) for i in imports] == sorted(key(i) for i in imports):
        return sorted([*section, *std], key=key)
    return [*std, *section]


def squeeze(text: str) -> str:
    """No more than two blank lines in the header, none at the start."""
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text.lstrip("\n")
