"""The functions of a script that become classes, and the structure of its models."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from k2t.analyse.beside import nodes_of, own_statements
from k2t.analyse.interpreter import Interpreter
from k2t.analyse.loops import stored
from k2t.analyse.sources import is_docstring
from k2t.analyse.state import Frame, ModelState, statements
from k2t.analyse.structure import Reader, argument
from k2t.analyse.trace import Local, Tangled, Trace, bare, joined
from k2t.ir.nodes import Parameter
from k2t.ir.structure import Repeat, Return, Step, Structure, When
from k2t.ir.values import Tensor

FUNCTION = ast.FunctionDef


@dataclass
class Structures:
    """The structures of all functions that a script's models call, read once each."""

    interp: Interpreter
    static: Mapping[int, bool]
    trace: Trace = field(init=False)
    functions: dict[str, Structure] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trace = Trace(self.interp)

    def of_model(self, state: ModelState, body: list[ast.stmt], whole: bool) -> Structure | None:
        """The structure of a model; None where there is none beyond a list of layers.

        Raises:
            Tangled: there is one, and it cannot be kept.
        """
        span = self.interp.spans.of(state.node)
        home = state.frame
        scope = home.scope
        beside = [m for m in self.interp.models.values() if m.frame.scope is scope]
        frames = frozenset(m.frame.id for m in beside)
        home_parameters = {a.arg for a in scope.args.args} if isinstance(scope, FUNCTION) else set()
        if not self.structured(body, home_parameters if whole else set()):
            return None
        if len({id(m.node) for m in beside}) > 1:
            body = own_statements(self.interp, self.trace, state, body)
        if not self.structured(body, home_parameters if whole else set()):
            return None
        inputs = self.input_names(state, body)
        made = [self.interp.graph[i].layer for i in nodes_of(self.interp, state)]
        if any(layer is not None and layer.row == "Model" for layer in made):
            raise Tangled("a model is used as a layer beside them")
        if state.owners:
            raise Tangled("some layers belong to another model")
        moved = frozenset(n for s in body if isinstance(s, ast.For) for n in stored(s))
        local = Local(self.interp, frames, moved)
        tensors, held = self.trace.flow_names(body, set(inputs))
        reader = Reader(self.interp, self.trace, local, self.static, tensors, held)
        reader.model = state.node
        reader.outputs = argument(state.node, "outputs", 1)
        if reader.outputs is None:
            raise Tangled("the outputs of the model are not written in its call")
        steps = reader.steps(body, whole)
        self.follow(reader)
        named = list(zip(inputs, state.inputs, strict=True))
        shapes = {name: bare(self.interp.graph[node].shape) for name, node in named}
        widths = {
            name: text
            for name, node in named
            if (text := self.input_width(node, local)) is not None
        }
        return Structure("", span, tuple(inputs), (), steps, shapes, widths=widths)

    def input_width(self, made: int, local: Local) -> str | None:
        """``input_shape[-1]`` where an input's shape has a name."""
        for found in self.interp.events:
            if (
                found.kind == "apply"
                and found["tensor"] == made
                and isinstance(found.node, ast.Call)
            ):
                shape = argument(found.node, "shape", 0)
                frame = self.interp.frames[found.frame]
                if isinstance(shape, ast.Name) and shape.id in frame.names:
                    expr = getattr(self.interp.eval(shape, frame), "expr", None)
                    if expr is not None and local.usable(expr):
                        return f"{shape.id}[-1]"
        return None

    def structured(self, body: list[ast.stmt], parameters: set[str]) -> bool:
        """Whether a model is more than layers in a row: loops, conditions, functions, variables
        that change on the way."""
        tensors, layers = self.trace.flow_names(body, set())
        names = [
            n.id
            for s in body
            for n in ast.walk(s)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        ]
        plain = [n for n in names if n not in tensors | layers] + sorted(parameters)
        if parameters and any(plain.count(n) > 1 for n in plain):
            return True
        for stmt in body:
            for node in ast.walk(stmt):
                if id(node) in self.trace.calls:
                    return True
                block = isinstance(node, ast.For | ast.If) and id(node) not in self.static
                if block and any(id(n) in self.trace.applied for n in ast.walk(node)):
                    return True
        return False

    def input_names(self, state: ModelState, body: list[ast.stmt]) -> list[str]:
        names = []
        for node in state.inputs:
            first = self.interp.graph[node].stmt  # functions may call it something else
            bound = [
                name
                for stmt in (first, *statements(body))
                for name, value in self.trace.bound.get(id(stmt), ())
                if value == Tensor(node)
            ]
            if not bound:
                raise Tangled("an input of the model has no name")
            names.append(bound[0])
        return names

    def follow(self, reader: Reader) -> None:
        for index in reader.functions:
            definition, home = self.interp.definitions[index]
            assert isinstance(definition, ast.FunctionDef)
            if definition.name in self.failed:
                raise Tangled(self.failed[definition.name])
            if definition.name in self.functions:
                continue
            try:
                self.functions[definition.name] = self.function(index, definition, home)
            except Tangled as error:
                self.failed[definition.name] = f"{definition.name}: {error}"
                raise Tangled(self.failed[definition.name]) from None

    def function(self, index: int, definition: ast.FunctionDef, home: Frame) -> Structure:
        if home.id != 0 or definition.decorator_list:
            raise Tangled("it is no plain function of the module")
        spec = definition.args
        if spec.vararg or spec.kwarg:
            raise Tangled("it takes * or **")
        calls = [c for found in self.trace.calls.values() for c in found if c.function == index]
        names = [a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]]
        tensors = [n for n in names if any(self.trace.tensors(c.given[n]) for c in calls)]
        if any(not isinstance(c.given[n], Tensor) for c in calls for n in tensors):
            raise Tangled("a parameter that is a tensor only sometimes")
        local = Local(self.interp, frozenset(c.frame for c in calls))
        flow, held = self.trace.flow_names(definition.body, set(tensors))
        reader = Reader(self.interp, self.trace, local, self.static, flow, held)
        steps = reader.steps(definition.body)
        if not isinstance(steps[-1], Return) or sum(returns(steps)) != 1:
            raise Tangled("it returns in several places")
        shapes = {
            n: joined([bare(self.interp.graph[c.given[n].node].shape) for c in calls])  # type: ignore[union-attr]
            for n in tensors
        }
        self.follow(reader)
        docstring = definition.body[0] if is_docstring(definition.body[0]) else None
        return Structure(
            definition.name,
            self.interp.spans.of(definition),
            tuple(tensors),
            tuple(p for p in parameters(self.interp, definition) if p.name not in tensors),
            steps,
            shapes,
            self.interp.spans.of(docstring) if docstring else None,
        )


def returns(steps: tuple[Step, ...]) -> Iterator[int]:
    for step in steps:
        if isinstance(step, Return):
            yield 1
        elif isinstance(step, When):
            yield from returns((*step.body, *step.orelse))
        elif isinstance(step, Repeat):
            yield from returns(step.body)


def parameters(interp: Interpreter, definition: ast.FunctionDef) -> Iterator[Parameter]:
    """The parameters of a function with their defaults as written."""
    spec = definition.args
    names = [a.arg for a in [*spec.posonlyargs, *spec.args]]
    defaults: list[ast.expr | None] = [None] * (len(names) - len(spec.defaults))
    defaults += spec.defaults
    names += [a.arg for a in spec.kwonlyargs]
    defaults += spec.kw_defaults
    for name, default in zip(names, defaults, strict=True):
        yield Parameter(name, interp.spans.of(default) if default is not None else None)
