"""Files of a project as one text, the script that is run last."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from k2t.ir.source import Source, Span
from k2t.project.members import Member


@dataclass
class Joined:
    """One text of several members, the script that is run last."""

    members: list[Member]
    text: str = ""
    starts: list[int] = field(default_factory=list)
    held: list[tuple[int, ast.ImportFrom]] = field(default_factory=list)

    @property
    def main(self) -> int:
        return self.starts[-1]

    def member_of(self, offset: int) -> int:
        """Which file a place of the joined text is in."""
        return max(i for i, start in enumerate(self.starts) if start <= offset or i == 0)


class Apart(Exception):
    """The files cannot be read as one; the message says why, ``span`` where in ``path``."""

    def __init__(self, message: str, path: str, span: Span) -> None:
        super().__init__(message)
        self.message, self.path, self.span = message, path, span


def joined(members: list[Member]) -> Joined:
    """The texts one after the other; imports among them, and from the future, are held back.

    Raises:
        Apart: a name means one thing in one file and another in the next.
    """
    one = Joined(members)
    bound: dict[str, tuple[str, str]] = {}
    for number, member in enumerate(members):
        source = member.script.source
        for name, what in top_names(member):
            if bound.setdefault(name, (what, member.path))[0] != what:
                other = bound[name][1]
                message = f"{name} is another thing in {other}: files with names of their own only"
                raise Apart(message, member.path, Span(0, 0))
        one.text += f"__section_{number}__ = 0\n"
        one.starts.append(len(one.text))
        wanted = {id(node) for node, _ in member.wants}
        text = source.text
        for node in reversed(member.script.tree.body):
            if isinstance(node, ast.ImportFrom) and (
                id(node) in wanted or node.module == "__future__"
            ):
                check_names(member, node)
                text = hold(text, source, node, len(one.held))
                one.held.append((number, node))
        one.text += text if text.endswith("\n") else text + "\n"
    return one


def hold(text: str, source: Source, node: ast.ImportFrom, number: int) -> str:
    """An import replaced by one of a module that is not there, of as many characters."""
    start = source.line_starts[node.lineno - 1] + node.col_offset
    end = source.line_starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
    return text[:start] + f"import __held_{number}__".ljust(end - start) + text[end:]


def check_names(member: Member, node: ast.ImportFrom) -> None:
    for alias in node.names:
        if node.module != "__future__" and (alias.asname or alias.name == "*"):
            start = member.script.source.line_starts[node.lineno - 1]
            message = "an import from a file of the project under another name, or of all its names"
            raise Apart(message, member.path, Span(start, start + 1))


def top_names(member: Member) -> Iterator[tuple[str, str]]:
    """What a file binds at its top, and what that is: an import by its module, else its own."""
    held = {id(node) for node, _ in member.wants}
    for node in member.script.tree.body:
        if isinstance(node, ast.ImportFrom) and id(node) not in held:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname or alias.name).split(".")[0], alias.name if alias.asname else ""
        else:
            for name in stored(node):
                yield name, member.path


def stored(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds in its own scope."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    stack: list[ast.AST] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, ast.FunctionDef | ast.ClassDef | ast.Lambda) and current is not node:
            if not isinstance(current, ast.Lambda):
                yield current.name
            continue
        if isinstance(current, ast.Name) and isinstance(current.ctx, ast.Store):
            yield current.id
        stack += ast.iter_child_nodes(current)
