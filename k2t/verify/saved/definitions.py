"""Makes an instance of a class of a migrated script, without running the script's training.

Of the script's top level only that is run which the class and its arguments need: imports,
functions, classes and assignments of values. The arguments are those the script makes it with.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from k2t.verify.saved.plain import Function, Judge, walk_code

Namespace = dict[str, Any]
MOST = 20  # ways to make the class that are tried
DEEPEST = 4  # calls between the top level and the one that makes it


class CannotMake(ValueError):
    """The class is not there, or cannot be made without running the script."""


@dataclass(frozen=True)
class Maker:
    """One way the script makes the class: `make()` gives a new instance each time."""

    line: int
    shown: str
    make: Callable[[], Any]


@dataclass
class Script:
    """A parsed script. `top`: its statements, those under `if __name__ == "__main__"` included."""

    tree: ast.Module
    top: list[ast.stmt]
    imports: dict[str, str] = field(default_factory=dict)
    defined: dict[str, ast.stmt] = field(default_factory=dict)
    stars: list[ast.stmt] = field(default_factory=list)


def parse(path: Path) -> Script:
    """Raises CannotMake for what is no Python, OSError."""
    try:
        text = path.read_bytes()
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise CannotMake(f"it is no Python that can be read ({error.args[0]}{line})") from error
    script = Script(tree, list(flattened(tree.body)))
    for statement in script.top:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.split(".")[0]
                    script.imports[name] = alias.name if alias.asname else name
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    script.imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if node.names[0].name == "*":
                    script.stars.append(statement)
        if isinstance(statement, Function | ast.ClassDef):
            script.defined[statement.name] = statement
    return script


def flattened(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
            yield from flattened(statement.body)
        else:
            yield statement


# ------------------------------------------------------------------------------ what names need


def loaded(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def bound(statement: ast.stmt) -> set[str]:
    """The names a statement gives a value, or whose values it changes by a method or an index."""
    names: set[str] = set()
    if isinstance(statement, Function | ast.ClassDef):
        return {statement.name}
    for node in walk_code(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            names |= {root(node)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            names |= (
                {root(node.value.func)} if isinstance(node.value.func, ast.Attribute) else set()
            )
    return names - {""}


def root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def needs(statement: ast.stmt) -> set[str]:
    """The names a statement reads; of a class those read by its construction and its forward."""
    if not isinstance(statement, ast.ClassDef):
        return loaded(statement)
    methods = {n.name: n for n in statement.body if isinstance(n, Function)}
    names = {name for n in statement.body if n not in methods.values() for name in loaded(n)}
    for node in (*statement.bases, *statement.keywords, *statement.decorator_list):
        names |= loaded(node)
    for method in methods.values():
        arguments = [*method.args.defaults, *(d for d in method.args.kw_defaults if d)]
        for part in (*arguments, *method.decorator_list):
            names |= loaded(part)
    queue, seen = ["__init__", "__post_init__", "__new__", "forward"], set()
    while queue:
        name = queue.pop()
        if name in seen or name not in methods:
            continue
        seen.add(name)
        names |= loaded(methods[name])
        for node in ast.walk(methods[name]):
            if isinstance(node, ast.Attribute) and root(node) in ("self", "cls"):
                queue.append(node.attr)
    return names


# ------------------------------------------------------------------------------------- the calls


@dataclass(frozen=True)
class Site:
    """A call, and the function it is written in (None: the top level)."""

    call: ast.Call
    function: ast.FunctionDef | ast.AsyncFunctionDef | None


def sites(script: Script, name: str) -> list[Site]:
    """Where the script calls a function or class by its name."""
    found = []

    def visit(node: ast.AST, function: Any) -> None:
        if isinstance(node, ast.ClassDef):
            return  # methods are called with what is not known here
        if isinstance(node, Function):
            function = node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            found.append(Site(node, function))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    for statement in script.top:
        visit(statement, None)
    return found


def local_statements(site: Site) -> list[ast.stmt]:
    """The statements of the enclosing function that give values to names the call reads."""
    if site.function is None:
        return []
    lines = [n for n in statements(site.function.body) if n.lineno < site.call.lineno]
    wanted, kept = loaded(site.call), []
    for statement in reversed(lines):
        if bound(statement) & wanted:
            wanted |= loaded(statement)
            kept.append(statement)
    return kept[::-1]


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in order; blocks are opened, so that an assignment can be had without the rest."""
    for statement in body:
        if isinstance(statement, ast.With | ast.Try):
            yield from statements(statement.body)
        else:
            yield statement


# --------------------------------------------------------------------------------------- running


class Definitions:
    """What of a script has to be run for one of its classes, and the ways to make it."""

    def __init__(self, path: Path, name: str) -> None:
        """Raises CannotMake, OSError. Nothing is run yet."""
        self.path, self.name = path, name
        self.script = parse(path)
        if not isinstance(self.script.defined.get(name), ast.ClassDef):
            classes = [n for n, d in self.script.defined.items() if isinstance(d, ast.ClassDef)]
            raise CannotMake(f"it defines no class {name} (it has {', '.join(classes) or 'none'})")
        self.judge = Judge(self.script.imports, self.script.defined)
        self.missing: dict[str, str] = {}
        self.space: Namespace = {}

    def makers(self) -> list[Maker]:
        """The ways the script makes the class. Raises CannotMake."""
        calls = sites(self.script, self.name)
        if not calls:
            empty = ast.Call(ast.Name(self.name, ast.Load()), [], [])
            calls = [Site(ast.fix_missing_locations(empty), None)]
        self.run(calls)
        if self.name not in self.space:
            raise CannotMake(f"{self.name} cannot be defined: {self.missing.get(self.name)}")
        found: dict[str, Maker] = {}
        problems = []
        for site in calls:
            try:
                for space in self.spaces(site, 0)[:MOST]:
                    maker = self.maker(site.call, space)
                    found.setdefault(maker.shown, maker)
            except CannotMake as error:
                problems.append(str(error))
        if not found:
            raise CannotMake(problems[0])
        return list(found.values())[:MOST]

    def run(self, calls: list[Site]) -> None:
        """Runs the part of the top level that is needed; what fails is noted in `missing`."""
        module = ModuleType("k2t_script")
        module.__dict__["__file__"] = str(self.path)
        module.__doc__ = ast.get_docstring(self.script.tree, clean=False)
        sys.modules[module.__name__] = module
        self.space = module.__dict__
        for statement in self.kept(self.roots(calls)):
            try:
                exec(self.compiled(ast.Module([statement], [])), self.space)
            except (Exception, SystemExit) as error:
                for name in bound(statement):
                    self.missing.setdefault(name, self.because(error, statement.lineno))

    def roots(self, calls: list[Site]) -> set[str]:
        """The names the calls need, in whatever functions they are."""
        names, queue, seen = {self.name}, list(calls), set()
        while queue:
            site = queue.pop()
            for node in (site.call, *local_statements(site)):
                names |= loaded(node)
            if site.function is not None and site.function.name not in seen:
                seen.add(site.function.name)
                defaults = site.function.args
                for node in (*defaults.defaults, *(d for d in defaults.kw_defaults if d)):
                    names |= loaded(node)
                queue += sites(self.script, site.function.name)
        return names

    def kept(self, names: set[str]) -> list[ast.stmt]:
        """The statements that give the names their values, and all that these read."""
        seen: set[str] = set()
        kept: set[int] = set()
        queue = sorted(names)
        while queue:
            name = queue.pop()
            if name in seen:
                continue
            seen.add(name)
            for number, statement in enumerate(self.script.top):
                if number in kept or name not in bound(statement):
                    continue
                if not isinstance(statement, Function | ast.ClassDef):
                    objection = self.judge.objection(statement)
                    if objection:
                        self.missing.setdefault(name, objection + ", which k2t does not run")
                        continue
                kept.add(number)
                queue += sorted(needs(statement))
        unknown = seen - set(dir(builtins)) - {n for s in self.script.top for n in bound(s)}
        if unknown:
            kept |= {i for i, s in enumerate(self.script.top) if s in self.script.stars}
        return [self.script.top[number] for number in sorted(kept)]

    def compiled(self, node: ast.Module | ast.Expression) -> Any:
        future = self.script.imports.get("annotations") == "__future__.annotations"
        flags = __future__.annotations.compiler_flag if future else 0
        mode = "exec" if isinstance(node, ast.Module) else "eval"
        ast.fix_missing_locations(node)
        return compile(node, str(self.path), mode, flags=flags, dont_inherit=True)

    def because(self, error: BaseException, line: int) -> str:
        if isinstance(error, NameError) and error.name in self.missing:
            return self.missing[error.name]
        if isinstance(error, SystemExit):
            return f"line {line} needs arguments on the command line"
        words = " ".join(str(error).split())
        return f"line {line} fails with {type(error).__name__}: {words[:200]}"

    def evaluate(self, node: ast.expr, space: Namespace) -> Any:
        """The value of an argument. Raises CannotMake."""
        objection = self.judge.objection(node)
        if objection:
            raise CannotMake(f"{self.name} needs {ast.unparse(node)}: {objection}")
        try:
            return eval(self.compiled(ast.Expression(node)), space)
        except (Exception, SystemExit) as error:
            shown = ast.unparse(node)
            raise CannotMake(
                f"{self.name} needs {shown}, but {self.because(error, node.lineno)}"
            ) from error

    def spaces(self, site: Site, depth: int) -> list[Namespace]:
        """The values of all names at a call: one dict for each way to get there."""
        function = site.function
        if function is None:
            return [self.space]
        callers = sites(self.script, function.name) if depth < DEEPEST else []
        problem: CannotMake | None = None
        found = []
        ways: list[Site | None] = [*callers] or [None]
        for caller in ways:
            try:
                outer = self.spaces(caller, depth + 1) if caller else [self.space]
                for space in outer:
                    local = dict(self.space) | self.parameters(function, caller, space)
                    self.run_locals(site, local)
                    found.append(local)
            except CannotMake as error:
                problem = error
        if not found and problem is not None:
            raise problem
        return found

    def parameters(self, function: Any, caller: Site | None, space: Namespace) -> Namespace:
        """The parameters of a function at one of its calls; those that are not known are left."""
        arguments = function.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
        defaults = dict(zip(reversed(names), reversed(arguments.defaults), strict=False))
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                defaults[argument.arg] = default
        values = {}
        given: dict[str, ast.expr] = {}
        if caller is not None:
            given = dict(zip(names, caller.call.args, strict=False))
            given |= {k.arg: k.value for k in caller.call.keywords if k.arg}
        for name, node in {**defaults, **given}.items():
            try:
                values[name] = self.evaluate(node, space if name in given else self.space)
            except CannotMake as error:
                self.missing[name] = str(error).partition(", but ")[2] or str(error)
        return values

    def run_locals(self, site: Site, local: Namespace) -> None:
        for statement in local_statements(site):
            objection = self.judge.objection(statement)
            try:
                if objection:
                    raise CannotMake(objection + ", which k2t does not run")
                exec(self.compiled(ast.Module([statement], [])), local)
            except (Exception, SystemExit) as error:
                reason = self.because(error, statement.lineno)
                reason = str(error) if isinstance(error, CannotMake) else reason
                for name in bound(statement):
                    local.pop(name, None)
                    self.missing[name] = reason

    def maker(self, call: ast.Call, space: Mapping[str, Any]) -> Maker:
        """Evaluates the arguments of a call of the class. Raises CannotMake."""
        scope = dict(space)
        positional: list[Any] = []
        for node in call.args:
            if isinstance(node, ast.Starred):
                positional += self.evaluate(node.value, scope)
            else:
                positional.append(self.evaluate(node, scope))
        named: dict[str, Any] = {}
        for keyword in call.keywords:
            value = self.evaluate(keyword.value, scope)
            named |= {keyword.arg: value} if keyword.arg else dict(value)
        line = getattr(call, "lineno", 1)
        values = [*map(repr, positional), *(f"{k}={v!r}" for k, v in named.items())]

        def make() -> Any:
            try:
                return self.space[self.name](*copy.deepcopy(positional), **copy.deepcopy(named))
            except (Exception, SystemExit) as error:
                reason = self.because(error, line)
                needed = f" needs {error.name}" if isinstance(error, NameError) else ""
                words = f"{needed}, but {reason}" if needed else f" cannot be made: {reason}"
                raise CannotMake(self.name + words) from error

        return Maker(line, f"{self.name}({', '.join(values)})", make)
