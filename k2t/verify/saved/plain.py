"""Which code of a script may be run to make a model: no training, no files, no network."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping

Function = ast.FunctionDef | ast.AsyncFunctionDef

# modules whose functions compute values, and what in them does more than that
VALUES = {
    "argparse", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions",
    "functools", "itertools", "json", "math", "numpy", "operator", "pathlib", "random", "re",
    "statistics", "string", "sys", "time", "torch", "types", "typing",
}  # fmt: skip
ALSO = ("os.path.", "os.environ.", "os.getenv")
NOT_VALUES = ("torch.hub", "torch.utils.data", "torch.distributed", "torch.multiprocessing")
BUILTINS = {"open", "exec", "eval", "compile", "input", "__import__", "breakpoint", "exit", "quit"}
ACTS = {
    "backward", "connect", "dump", "evaluate", "exec", "exit", "fit", "fromfile", "genfromtxt",
    "get_file", "glob", "iterdir", "memmap", "open", "post", "predict", "rename", "replace_file",
    "rglob", "rmdir", "run", "system", "test", "tofile", "touch", "train", "unlink", "urlopen",
    "urlretrieve", "validate",
}  # fmt: skip
ACTS_BEGIN = ("load", "save", "read", "write", "download", "fetch", "to_csv", "mkdir", "savez")
HARMLESS = {"loads"}


def walk_code(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without the bodies of functions and classes defined there."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from walk_code(child)


def dotted(node: ast.expr, imports: Mapping[str, str]) -> str:
    """The full name of a function that comes from an import, as "numpy.zeros"; else ""."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in imports:
        return ""
    return ".".join([imports[node.id], *reversed(parts)])


class Judge:
    """Says of statements why they may not be run, if they may not.

    imports: what each imported name stands for. defined: the script's own functions and classes.
    """

    def __init__(self, imports: Mapping[str, str], defined: Mapping[str, ast.stmt]) -> None:
        self.imports, self.defined = imports, defined
        self.known: dict[str, str] = {}

    def objection(self, code: ast.AST) -> str:
        """Why this code may not be run: a clause like "line 3 calls open()"; "" if it may."""
        for node in walk_code(code):
            if isinstance(node, ast.Call) and (name := self.acts(node)):
                return f"line {node.lineno} calls {name}()"
            if isinstance(node, ast.With | ast.AsyncWith | ast.Delete):
                return f"line {node.lineno} is more than a plain assignment"
        return ""

    def acts(self, call: ast.Call) -> str:
        """The name of the called function if it may do more than compute a value."""
        shown = ast.unparse(call.func)
        shown = shown if len(shown) < 50 else "..." + shown[-40:]
        name = dotted(call.func, self.imports)
        last = name.rpartition(".")[2] if name else shown.rpartition(".")[2]
        if name:
            known = name.split(".")[0] in VALUES or name.startswith(ALSO)
            if not known or name.startswith(NOT_VALUES):
                return shown
        elif isinstance(call.func, ast.Name):
            if call.func.id in self.defined:
                return shown if self.own(call.func.id) else ""
            return shown if call.func.id in BUILTINS and hasattr(builtins, call.func.id) else ""
        if last in HARMLESS:
            return ""
        return shown if last in ACTS or last.startswith(ACTS_BEGIN) else ""

    def own(self, name: str) -> str:
        """Why a function or class of the script may not be called."""
        if name not in self.known:
            self.known[name] = ""  # while it is looked at: it may call itself
            node = self.defined[name]
            bodies = [node] if isinstance(node, Function) else []
            if isinstance(node, ast.ClassDef):
                bodies = [n for n in node.body if isinstance(n, Function) and n.name == "__init__"]
            objections = (self.objection(line) for body in bodies for line in body.body)
            self.known[name] = next((words for words in objections if words), "")
        return self.known[name]
