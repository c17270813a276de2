"""The migrated text of a project cut into its files, each with the imports that it reads."""

from __future__ import annotations

import ast
import builtins
import os
import re
from collections.abc import Mapping, Sequence

from k2t.pipeline import completed as with_imports
from k2t.pipeline import emitted_names
from k2t.project.joined import Joined, stored, top_names

MARK = re.compile(r"^__section_(\d+)__ = 0\n", re.MULTILINE)
HELD = re.compile(r"^import __held_(\d+)__ *\n", re.MULTILINE)


def cut(one: Joined, text: str, extra: Sequence[str], output: Mapping[str, str]) -> list[str]:
    """The migrated texts of the members; ``extra`` are imports that they ask for."""
    before, parts = MARK.split(one.text)[2::2], at_home(one, MARK.split(text)[2::2])
    called: dict[str, str] = {}
    for member, old, new in zip(one.members, before, parts, strict=True):
        kept = old == new and all(called[path] == stem(path) for _, path in member.wants)
        called[member.path] = stem(member.path) if kept else output[member.path]
    defined = [definitions(part) for part in parts]
    return [
        member.script.source.text
        if before[number] == parts[number] and called[member.path] == stem(member.path)
        else completed(one, number, parts[number], defined, extra, called)
        for number, member in enumerate(one.members)
    ]


def completed(
    one: Joined,
    number: int,
    part: str,
    defined: Sequence[Mapping[str, str]],
    extra: Sequence[str],
    called: Mapping[str, str],
) -> str:
    """A text with its imports: those it had from the project, those of torch, those from before."""
    read, bound = names(part)
    own = bound | set(dir(builtins))
    missing = [sorted((read & part.keys()) - own) for part in defined[:number]]
    part, rest = released(one, part, defined, missing, called)
    read, bound = names(part)
    wanted = [line for line in extra if line.rpartition(" ")[2] in read]
    for other in rest:
        origin = dotted(one, number, other, called)
        wanted += [f"from {origin} import {name}" for name in missing[other]]
    return with_imports(part, bound, wanted)


def at_home(one: Joined, parts: list[str]) -> list[str]:
    """Emitted definitions that an earlier file needs already go there."""
    parts = list(parts)
    for number, part in enumerate(parts):
        read, bound = names(part)
        for later in range(number + 1, len(parts)):
            found = definitions(parts[later])
            moving = closure((read - bound) & found.keys() & emitted(one), found, emitted(one))
            if moving:
                texts = [found[name] for name in found if name in moving]
                for moved in texts:
                    parts[later] = parts[later].replace(moved, "", 1)
                parts[number] = put_first(parts[number], "\n\n\n".join(t.strip() for t in texts))
    return parts


def emitted(one: Joined) -> set[str]:
    """Definitions of k2t's own that a script may have been given."""
    return emitted_names() - {n for m in one.members for n, _ in top_names(m)}


def closure(names_: set[str], found: Mapping[str, str], own: set[str]) -> set[str]:
    """Definitions with those they call."""
    done: set[str] = set()
    while names_ - done:
        name = (names_ - done).pop()
        done.add(name)
        names_ = names_ | (names(found[name])[0] & found.keys() & own)
    return done


def put_first(part: str, text: str) -> str:
    """Definitions before the first definition of a file."""
    tree = ast.parse(part)
    first = next(s for s in tree.body if isinstance(s, ast.ClassDef | ast.FunctionDef))
    line = min([first.lineno, *(d.lineno for d in first.decorator_list)]) - 1
    lines = part.split("\n")
    return "\n".join([*lines[:line], *text.split("\n"), "", "", *lines[line:]])


def definitions(part: str) -> dict[str, str]:
    """What a text defines at its top, with the text of functions and classes."""
    lines = part.split("\n")
    found: dict[str, str] = {}
    for node in ast.parse(part).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            found[node.name] = "\n".join(lines[first : node.end_lineno]) + "\n"
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            found |= dict.fromkeys(stored(node), "")
    return found


def names(part: str) -> tuple[set[str], set[str]]:
    """The names that a text reads, and those it binds at its top or in functions."""
    read: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(ast.parse(part)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(a.asname or a.name).split(".")[0] for a in node.names}
    return read, bound


def released(
    one: Joined,
    part: str,
    defined: Sequence[Mapping[str, str]],
    missing: Sequence[Sequence[str]],
    called: Mapping[str, str],
) -> tuple[str, set[int]]:
    """A text with its imports from the project, of the files as they are called now; the files
    that it misses something of and did not import from."""
    rest = {other for other, wanted in enumerate(missing) if wanted}

    def line(match: re.Match[str]) -> str:
        place, node = one.held[int(match.group(1))]
        if node.module == "__future__":
            return f"{ast.unparse(node)}\n"
        path = next(p for n, p in one.members[place].wants if n is node)
        other = next(i for i, m in enumerate(one.members) if m.path == path)
        kept = [alias.name for alias in node.names if alias.name in defined[other]]
        if other in rest:
            kept = sorted({*kept, *missing[other]})
            rest.discard(other)
        return f"from {renamed(node, path, called)} import {', '.join(kept)}\n" if kept else ""

    return HELD.sub(line, part), rest


def renamed(node: ast.ImportFrom, path: str, called: Mapping[str, str]) -> str:
    """The module of an import, as the file is called now."""
    head, dot, last = (node.module or "").rpartition(".")
    return "." * node.level + head + dot + (called[path] if last == stem(path) else last)


def dotted(one: Joined, number: int, other: int, module: Mapping[str, str]) -> str:
    """How a member imports from another one that it did not import from before."""
    here, path = one.members[number], one.members[other].path
    for node, target in here.wants:
        if target == path:
            return renamed(node, path, module)
    root = os.path.dirname(one.members[-1].path)
    folder = os.path.relpath(os.path.dirname(path) or ".", root or ".")
    inside = [] if folder == "." else folder.split(os.sep)
    return ".".join([*inside, module[path]])


def stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]
