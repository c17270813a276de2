"""Which files of those given belong together: a script and the ones it imports from."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from k2t.__main__ import mentions_keras
from k2t.ir.finding import Finding, Severity
from k2t.ir.source import FRAMEWORKS, Span
from k2t.parse.script import Script, Unreadable, parse

CODE = "K2T907"
INIT = "__init__.py"


@dataclass(frozen=True)
class Member:
    """A file of a project; ``wants``: the members it imports from, by their import statements.

    ``package`` is a file that runs before it and imports Keras.
    """

    path: str
    script: Script
    wants: tuple[tuple[ast.ImportFrom, str], ...]
    package: str | None = None


def groups(paths: Mapping[str, bytes], holds: Mapping[str, bool]) -> list[list[Member]]:
    """The scripts that import from other given files which hold Keras code, with these before them.

    Args:
        paths: the files and their bytes.
        holds: whether Keras or TensorFlow is mentioned in a file.
    """
    stems = {os.path.splitext(os.path.basename(p))[0] for p in paths}
    stems |= {os.path.basename(os.path.dirname(p)) for p in paths if p.endswith(INIT)}
    words = re.compile(rb"^\s*(?:from|import)\s+[\w.]*(\b\w+)", re.MULTILINE)
    likely = [p for p, data in paths.items() if {m.decode() for m in words.findall(data)} & stems]
    if not likely:
        return []
    members: dict[str, Member] = {}
    for path, data in paths.items():
        try:
            script = parse(data, path)
        except Unreadable:
            continue  # said where the file itself is migrated
        members[path] = Member(path, script, tuple(imported(path, script.tree, paths)))
    followed = {p for p in members if reaches(p, members, holds)}
    members = {
        p: replace(
            m,
            wants=tuple(w for w in m.wants if w[1] in followed),
            package=next(
                (i for i in [os.path.join(os.path.dirname(p), INIT)] if i in followed), None
            ),
        )
        for p, m in members.items()
        if p in followed
    }
    taken = {path for member in members.values() for _, path in member.wants}
    roots = [m for p, m in members.items() if m.wants and p not in taken]
    return [ordered(root, members) for root in roots]


def imported(
    path: str, tree: ast.Module, given: Mapping[str, bytes]
) -> Iterator[tuple[ast.ImportFrom, str]]:
    """The given files that a file imports from, in statements at its top."""
    known = {os.path.normpath(p): p for p in given}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            places = map(os.path.normpath, candidates(path, node.level, node.module or ""))
            found = next((known[place] for place in places if place in known), path)
            if found != path:
                yield node, found


def candidates(path: str, level: int, module: str) -> Iterator[str]:
    """Where a module of the project may be that a file imports; a framework is none."""
    if not level and module.partition(".")[0] in FRAMEWORKS:
        return
    for base in bases(path, level):
        target = os.path.join(base, *module.split("."))
        yield from (f"{target}.py", os.path.join(target, INIT))


def bases(path: str, level: int) -> Iterator[str]:
    """The folders that a module's name may begin in."""
    folder = os.path.dirname(path)
    if level:
        for _ in range(level - 1):
            folder = os.path.join(folder, os.pardir)
        yield folder
        return
    yield folder
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        yield folder


def reaches(path: str, members: Mapping[str, Member], holds: Mapping[str, bool]) -> bool:
    """Whether a file holds Keras code or imports from one that does."""
    seen, stack = set(), [path]
    while stack:
        current = stack.pop()
        if current in seen or current not in members:
            continue
        seen.add(current)
        if holds[current]:
            return True
        stack += [wanted for _, wanted in members[current].wants]
    return False


def ordered(root: Member, members: Mapping[str, Member]) -> list[Member]:
    """A script after all that it imports."""
    found: list[Member] = []

    def visit(member: Member, above: tuple[str, ...]) -> None:
        for _, path in member.wants:
            if path not in above and members[path] not in found:
                visit(members[path], (*above, path))
        if member not in found:
            found.append(member)

    visit(root, (root.path,))
    return found


def not_followed(path: str, data: bytes, given: Collection[str]) -> list[Finding]:
    """An error for each import of a file beside a script that holds Keras and is not followed."""
    try:
        script = parse(data, path)
    except Unreadable:
        return []
    starts = script.source.line_starts
    found = []
    for node in script.tree.body:
        if isinstance(node, ast.Import):
            modules = [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            modules = [(node.level, base)]
            modules += [(node.level, f"{base}.{alias.name}".strip(".")) for alias in node.names]
        else:
            continue
        for level, module in modules:
            file = beside(path, level, module)
            if file is not None:
                start = starts[node.lineno - 1] + node.col_offset
                how = (
                    "import the names that are used from it as they are called there, one way only"
                )
                if os.path.normpath(file) not in {os.path.normpath(p) for p in given}:
                    how = f"give it, too: k2t migrate {path} {file}"
                message = f"{file} holds Keras code and is not followed; {how}"
                found.append(Finding(CODE, Severity.ERROR, message, Span(start, start + 1)))
    return found


def beside(path: str, level: int, module: str) -> str | None:
    """The file of a module in the folder of a script, if it holds Keras code."""
    if not module:
        return None
    found = source(path, level, module)
    if found is None:
        return None
    with open(found, "rb") as file:
        return found if mentions_keras(file.read()) else None


def around(path: str) -> dict[str, bytes]:
    """A script and the files beside it that it imports from, and that these import from."""
    found: dict[str, bytes] = {}
    stack = [path]
    while stack:
        current = stack.pop()
        if current in found:
            continue
        with open(current, "rb") as file:
            found[current] = file.read()
        try:
            tree = parse(found[current], current).tree
        except Unreadable:
            continue
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                other = source(current, node.level, node.module or "")
                stack += [other] if other is not None else []
    return found


def source(path: str, level: int, module: str) -> str | None:
    """The file of a module that a script imports, where it is one of the same project."""
    return next(filter(os.path.isfile, candidates(path, level, module)), None)
