"""What a script says to TensorFlow about itself: devices, sessions, logging, versions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from k2t.analyse.decorated import compiles, path_of
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.precision import policies
from k2t.analyse.state import statements
from k2t.analyse.statements import Layout
from k2t.analyse.strategies import strategies
from k2t.ir.program import Use
from k2t.ir.source import Span

CONFIGURES = (
    "tensorflow.config.",
    "tensorflow.get_logger",
    "tensorflow.logging.set_verbosity",
    "tensorflow.autograph.set_verbosity",
    "tensorflow.debugging.set_log_device_placement",
    "tensorflow.debugging.disable_traceback_filtering",
    "tensorflow.ConfigProto",
    "tensorflow.GPUOptions",
    "tensorflow.Session",
    "tensorflow.InteractiveSession",
    "tensorflow.reset_default_graph",
    "tensorflow.disable_eager_execution",
    "tensorflow.disable_v2_behavior",
    "tensorflow.enable_eager_execution",
    "tensorflow.enable_v2_behavior",
    "keras.backend.set_session",
    "keras.backend.tensorflow_backend.set_session",
    "keras.backend.clear_session",
    "keras.utils.clear_session",
)
"""Names whose calls configure TensorFlow and compute nothing."""

CHAINS = ("tensorflow.config.", "tensorflow.get_logger")
"""Of these what methods of a result do is configuration too; a session's compute."""

LOOKS = {"len", "str", "int", "float", "bool", "repr", "type", "list"}
NOT = ("tensorflow.config.experimental_connect_to_cluster", "tensorflow.config.LogicalDeviceConfig")
DEVICES = ("list_physical_devices", "list_logical_devices", "get_visible_devices")
ASKED = {"tensorflow.test.is_gpu_available", "tensorflow.test.is_built_with_cuda"}
DEFAULTS = {
    "keras.config.set_floatx": "float32",
    "keras.config.set_image_data_format": "channels_last",
    "keras.backend.set_image_data_format": "channels_last",
    "keras.backend.set_image_dim_ordering": "tf",
}
"""Settings that may be said where they are what they are anyway."""

PLACES = (
    "tensorflow.device",
    "tensorflow.name_scope",
    "tensorflow.init_scope",
    "keras.backend.name_scope",
    "keras.name_scope",
)
"""Contexts that say where something is computed, which Lightning sees to, or what it is called."""

VERSIONS = ("keras.__version__", "tensorflow.__version__", "tensorflow.version.VERSION")
COMPARED = {"version", "Version", "LooseVersion", "packaging", "parse"}
"""What versions are compared with."""

VARIABLES = (
    "TF_CPP_",
    "TF_FORCE_",
    "TF_ENABLE_",
    "TF_DETERMINISTIC_",
    "TF_GPU_",
    "TF_XLA_",
    "KERAS_",
)
"""Environment variables that TensorFlow and Keras read."""


INSIDE = ("unwrapped", "replicas", "devices", "version")
"""What stands in a statement that stays, or is about something else."""


def uses(interp: Interpreter, layout: Layout) -> Iterator[Use]:
    """Statements that go, questions about devices and versions, contexts whose body stays."""
    found = Configuring(interp, layout)
    gone = found.outermost()
    for stmt in gone:
        yield found.use("drop", stmt, stmt, path=found.named(stmt))
    inside = {id(node) for stmt in gone for node in ast.walk(stmt)}
    for about, name in policies(interp.tree, found.path):
        spans = tuple(layout.with_comments(s) for s in about)
        yield found.use("precision", about[-1], about[-1], policy=name, about=spans)
    for one in strategies(interp.tree, found.path):
        yield found.use("strategy", one.made, one.made, path=one.path)
        for scope in one.scopes:
            yield found.use("unwrapped", scope, scope, kept=found.body(scope))
        for asked in one.replicas:
            yield found.use("replicas", asked, layout.statement(asked))
    for stmt in statements(interp.tree.body):
        if isinstance(stmt, ast.With) and found.is_place(stmt):
            yield found.use("unwrapped", stmt, stmt, kept=found.body(stmt))
    for node in ast.walk(interp.tree):
        for decorator in getattr(node, "decorator_list", ()):
            if compiles(interp, decorator):
                yield found.use("undecorated", decorator, decorator)
        if isinstance(node, ast.expr) and id(node) not in inside:
            yield from found.asked(node)


class Configuring:
    """Reads a script for such statements; ``names`` are variables that hold nothing else."""

    def __init__(self, interp: Interpreter, layout: Layout) -> None:
        self.interp, self.layout = interp, layout
        self.all = list(statements(interp.tree.body))
        self.names = self.kept_to_themselves()

    def path(self, node: ast.AST) -> str | None:
        """The canonical name that an expression is."""
        return path_of(self.interp, node)

    def configures(self, node: ast.AST) -> bool:
        """Whether an expression is a call that configures, or a chain of calls from one."""
        known: tuple[str, ...] = CONFIGURES
        while isinstance(node, ast.Call):
            path = self.path(node.func)
            if path is not None:
                return path.startswith(known) and not path.startswith(NOT)
            node = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            known = CHAINS
        return False

    def held(self, node: ast.AST) -> bool:
        """Whether an expression is a variable that configuration is held in, or a part of one."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.names

    def is_one(self, stmt: ast.stmt) -> bool:
        """Whether a statement only configures."""
        match stmt:
            case ast.Expr(value=ast.Call(func=func, args=[ast.Constant(value=str(said))])) if (
                self.path(func) in DEFAULTS
            ):
                return DEFAULTS[self.path(func) or ""] == said
            case ast.Expr(value=ast.Attribute() as asked):
                return self.path(asked) in VERSIONS
            case ast.Assert(test=test):
                return self.of_versions(test)
            case ast.Expr(value=ast.Call() as call):
                return self.configures(call) and self.pure(call)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return name in self.names and self.configures(value) and self.pure(value)
            case ast.Assign(
                targets=[ast.Subscript(value=owner, slice=ast.Constant(value=str(key)))],
                value=value,
            ):
                ours = ast.unparse(owner) == "os.environ" and key.startswith(VARIABLES)
                return ours and self.pure(value)
            case ast.Assign(targets=[ast.Attribute() as target], value=value):
                return self.held(target) and self.pure(value)
            case ast.If(test=test, body=body, orelse=orelse):
                return self.pure(test) and self.block([*body, *orelse])
            case ast.For(iter=source, body=body, orelse=[]):
                return self.pure(source) and self.block(body)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                told = [s for h in handlers for s in h.body]
                return self.block([*body, *orelse, *final]) and all(map(self.says, told))
        return False

    def of_versions(self, test: ast.expr) -> bool:
        """Whether a condition is about the version of TensorFlow or Keras, and nothing else."""
        told = [
            n for n in ast.walk(test) if isinstance(n, ast.Attribute) and self.path(n) in VERSIONS
        ]
        roots = {id(n) for one in told for n in ast.walk(one)}
        others = {n.id for n in ast.walk(test) if isinstance(n, ast.Name) and id(n) not in roots}
        return bool(told) and others <= LOOKS | COMPARED

    def block(self, body: list[ast.stmt]) -> bool:
        """Whether statements configure, and else only say so."""
        return any(map(self.is_one, body)) and all(self.is_one(s) or self.says(s) for s in body)

    def says(self, stmt: ast.stmt) -> bool:
        match stmt:
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=args, keywords=more)):
                return all(map(self.pure, [*args, *(k.value for k in more)]))
            case ast.Pass() | ast.Raise() | ast.Expr(value=ast.Constant()):
                return True
        return False

    def pure(self, node: ast.expr) -> bool:
        """Whether an expression does nothing but look and configure."""
        calls = (n for n in ast.walk(node) if isinstance(n, ast.Call))
        return all(self.configures(n) or self.looks(n.func) for n in calls)

    def looks(self, func: ast.expr) -> bool:
        """Whether a function only reads what it is given: ``len``, ``"{}".format``."""
        match func:
            case ast.Name(id=name):
                return name in LOOKS
            case ast.Attribute(value=ast.Constant(value=str())):
                return True
        return self.path(func) in ASKED

    def kept_to_themselves(self) -> frozenset[str]:
        """The variables that are bound to configuration and read by it alone."""
        self.names = frozenset(
            s.targets[0].id
            for s in self.all
            if isinstance(s, ast.Assign)
            and isinstance(s.targets[0], ast.Name)
            and self.configures(s.value)
        )
        while True:
            gone = {id(n) for s in self.outermost() for n in ast.walk(s)}
            leaks = {
                n.id
                for n in ast.walk(self.interp.tree)
                if isinstance(n, ast.Name) and n.id in self.names and id(n) not in gone
            }
            if not leaks:
                return self.names
            self.names -= leaks

    def outermost(self) -> list[ast.stmt]:
        """The statements that only configure and stand in no other."""
        ones = [s for s in self.all if self.is_one(s)]
        inside = {id(n) for s in ones for n in ast.walk(s) if n is not s}
        return [s for s in ones if id(s) not in inside]

    def named(self, stmt: ast.stmt) -> str:
        """What a statement is about, for the message."""
        for node in ast.walk(stmt):
            path = self.path(node.func) if isinstance(node, ast.Call) else None
            if path is not None and (path.startswith(CONFIGURES) or path in DEFAULTS):
                return path
        return ast.unparse(stmt).partition("=")[0].strip()

    # ------------------------------------------------------------------ what stays

    def is_place(self, stmt: ast.With) -> bool:
        calls = [i.context_expr for i in stmt.items if i.optional_vars is None]
        return len(calls) == len(stmt.items) and all(
            isinstance(c, ast.Call) and self.path(c.func) in PLACES for c in calls
        )

    def body(self, stmt: ast.With) -> Span:
        spans = [self.layout.with_comments(s) for s in stmt.body]
        return Span(spans[0].start, spans[-1].end)

    def asked(self, node: ast.expr) -> Iterator[Use]:
        """A question that torch has an answer to: which GPUs there are, which version this is."""
        parent = self.layout.parents.get(id(node))
        match node:
            case ast.Attribute(attr="__version__" | "VERSION"):
                path = self.path(node) or ""
                if path in VERSIONS:
                    yield self.use("version", node, self.layout.statement(node), path=path)
            case ast.Call(func=func, args=args):
                path = self.path(func) or ""
                gpus = path.startswith("tensorflow.config.") and path.endswith(DEVICES)
                kinds = [a.value for a in args if isinstance(a, ast.Constant)]
                if path in ASKED or (gpus and kinds == ["GPU"]):
                    how = "list" if gpus else "any"
                    if gpus and isinstance(parent, ast.Call) and ast.unparse(parent.func) == "len":
                        node, how = parent, "len"
                    elif gpus and isinstance(parent, ast.IfExp | ast.If) and parent.test is node:
                        how = "any"
                    yield self.use("devices", node, self.layout.statement(node), how=how)

    def use(self, kind: str, node: ast.AST, stmt: ast.AST, **data: object) -> Use:
        of = self.interp.spans.of
        whole = (
            self.layout.with_comments(stmt)
            if kind == "drop" and isinstance(stmt, ast.stmt)
            else of(stmt)
        )
        scope, branch = self.layout.scope(node), self.layout.branch(node)
        return Use(kind=kind, call=of(node), stmt=whole, scope=scope, branch=branch, data=data)
