"""Measures whether structure is kept: lines, loops and named blocks of the model, before and after.

    python -m tests.structure [SCRIPT ...]

Without scripts, the golden cases. Lines are those that hold code, as they stand in the file: no
blank lines, comments or docstrings. The model's part of a script is every statement of its top
level that the migration took away or changed and that does not train; that of the migration are its
classes, without the methods of training, and the functions that it changed. Emitted helper
definitions are counted apart.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from k2t.pipeline import migrate
from k2t.render.emitted import HERE as HELPERS
from tests.golden import cases

TRAINS = {"compile", "fit", "evaluate", "predict", "fit_generator", "summary", "load_weights"}
HOOKS = ("training_", "validation_", "test_", "predict", "configure_", "on_", "step")
HOOKS += ("optimizer_step", "values", "train_on_batch", "evaluate")
LAYOUT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Lines, loops and named blocks (functions that build, classes) of a model."""

    lines: int
    loops: int
    blocks: int


@dataclass(frozen=True)
class Structure:
    name: str
    before: Size
    after: Size
    helpers: int

    @property
    def ratio(self) -> float:
        return self.after.lines / max(self.before.lines, 1)

    @property
    def kept(self) -> bool:
        """Whether no loop and no named block is lost."""
        return self.after.loops >= self.before.loops and self.after.blocks >= self.before.blocks


def measure(name: str, before: str, after: str) -> Structure:
    old, new = ast.parse(before), ast.parse(after)
    stays = {ast.dump(stmt) for stmt in new.body}
    model = [stmt for stmt in old.body if ast.dump(stmt) not in stays and builds(stmt)]
    known = helper_names()
    helpers = [stmt for stmt in new.body if getattr(stmt, "name", "") in known]
    edited = {s.name for s in model if isinstance(s, ast.FunctionDef)}
    classes = [
        s
        for s in new.body
        if (isinstance(s, ast.ClassDef) and s.name not in known)
        or (isinstance(s, ast.FunctionDef) and s.name in edited and not fits(s))
    ]
    return Structure(
        name,
        size(model, code_lines(before)),
        size(classes, code_lines(after)),
        size(helpers, code_lines(after)).lines,
    )


def fits(stmt: ast.stmt) -> bool:
    """Whether a function makes a Trainer."""
    return any(isinstance(n, ast.Attribute) and n.attr == "Trainer" for n in ast.walk(stmt))


def builds(stmt: ast.stmt) -> bool:
    """Whether a statement that is gone made a model: no import, nothing that trains."""
    if isinstance(stmt, ast.Import | ast.ImportFrom):
        return False
    calls = (node.func for node in ast.walk(stmt) if isinstance(node, ast.Call))
    trains = any(isinstance(call, ast.Attribute) and call.attr in TRAINS for call in calls)
    return not trains or isinstance(stmt, ast.FunctionDef | ast.ClassDef)


def size(part: Sequence[ast.stmt], code: set[int]) -> Size:
    hooks = [
        method
        for cls in part
        if isinstance(cls, ast.ClassDef)
        for method in cls.body
        if isinstance(method, ast.FunctionDef) and method.name.startswith(HOOKS)
    ]
    trains = {node for hook in hooks for node in ast.walk(hook)}
    nodes = [node for stmt in part for node in ast.walk(stmt) if node not in trains]
    own = {line for stmt in part for line in span(stmt)} - {i for h in hooks for i in span(h)}
    return Size(
        len(own & code),
        sum(isinstance(node, ast.For | ast.While | ast.comprehension) for node in nodes),
        sum(isinstance(stmt, ast.FunctionDef | ast.ClassDef) for stmt in part),
    )


def span(stmt: ast.stmt) -> range:
    first = min([stmt.lineno, *(d.lineno for d in getattr(stmt, "decorator_list", []))])
    return range(first, (stmt.end_lineno or first) + 1)


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold code: a docstring is none."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        line
        for token in tokens
        if token.type not in LAYOUT
        for line in range(token.start[0], token.end[0] + 1)
    }
    strings = (
        stmt
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for stmt in node.body[:1]
        if isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)
    )
    return lines - {line for string in strings for line in span(string)}


def helper_names() -> set[str]:
    """What k2t's own emitted definitions are called."""
    texts = (path.read_text(encoding="utf-8") for path in HELPERS.glob("*.py"))
    return {
        stmt.name
        for text in texts
        for stmt in ast.parse(text).body
        if isinstance(stmt, ast.FunctionDef | ast.ClassDef)
    }


def measured(scripts: Sequence[str]) -> Iterator[Structure]:
    for script in scripts:
        text = Path(script).read_text(encoding="utf-8")
        done = migrate(text.encode(), Path(script).name)
        yield measure(Path(script).stem, text, done.text or text)
    if not scripts:
        for case in cases():
            text = case.before.read_text(encoding="utf-8")
            yield measure(case.name, text, case.after.read_text(encoding="utf-8"))


def main(scripts: Sequence[str]) -> None:
    print("| model | lines | ratio | loops | named blocks | helper lines | loops and blocks kept |")
    print("|---|---|---|---|---|---|---|")
    for one in measured(scripts):
        a, b = one.before, one.after
        print(
            f"| {one.name} | {a.lines} -> {b.lines} | {one.ratio:.2f} | {a.loops} -> {b.loops} "
            f"| {a.blocks} -> {b.blocks} | {one.helpers} | {'yes' if one.kept else 'no'} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
