"""What a method of a callback does with the model that is trained."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from k2t.analyse.interpreter import Interpreter
from k2t.ir.program import Reached

RATES = ("lr", "learning_rate")
READERS = ("get_value", "eval", "convert_to_numpy")
"""Functions of Keras that hand out the number in a variable."""


def is_own(node: ast.AST, attributes: tuple[str, ...]) -> bool:
    """``self.model`` and the like."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr in attributes
    )


def reached(interp: Interpreter, method: ast.FunctionDef) -> Reached:
    """Each place where a method gets at the model, its optimizer's rate or ``self.params``."""
    of = interp.spans.of
    names = aliases(method)
    sets = [found for node in ast.walk(method) for found in setting(node, names)]
    guards = [node for node in ast.walk(method) if is_guard(node)]
    stops = [node for node in ast.walk(method) if is_stop(node)]
    inside = {id(n) for whole in (*guards, *stops) for n in ast.walk(whole)}
    inside |= {id(n) for _, target, _, _ in sets for n in ast.walk(target)}
    rates: list[ast.expr] = []
    for node in walk(method, inside):
        if isinstance(node, ast.expr) and reads_rate(node, names):
            rates.append(node)
            inside |= {id(n) for n in ast.walk(node)}
    params: list[tuple[ast.AST, str]] = [(n, key) for n in ast.walk(method) for key in param(n)]
    told = {id(n) for whole, _ in params for n in ast.walk(whole)}
    params += [(n, "") for n in ast.walk(method) if is_own(n, ("params",)) and id(n) not in told]
    models = [n for n in ast.walk(method) if is_own(n, ("model",)) and id(n) not in inside]
    return Reached(
        tuple(map(of, models)),
        tuple(map(of, stops)),
        tuple(map(of, rates)),
        tuple((of(node), operator, of(value)) for node, _, operator, value in sets),
        tuple((of(node), key) for node, key in params),
        tuple(map(of, guards)),
        named([*rates, *(target for _, target, _, _ in sets)]),
    )


def walk(method: ast.FunctionDef, inside: set[int]) -> Iterator[ast.AST]:
    """All nodes, outer ones first, but what has been dealt with."""
    return (node for node in ast.walk(method) if id(node) not in inside)


def is_rate(node: ast.AST) -> bool:
    """``self.model.optimizer.lr``."""
    match node:
        case ast.Attribute(value=ast.Attribute(value=owner, attr="optimizer"), attr=attr):
            return attr in RATES and (is_own(owner, ("model",)) or isinstance(owner, ast.Name))
    return False


def named(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The variables whose optimizer's rate is meant."""
    inner = [n for node in nodes for n in ast.walk(node) if is_rate(n)]
    owners = [
        n.value.value
        for n in inner
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Attribute)
    ]
    return frozenset(owner.id for owner in owners if isinstance(owner, ast.Name))


def aliases(method: ast.FunctionDef) -> frozenset[str]:
    """Variables that are bound to the rate's variable, and to nothing else."""
    bound: dict[str, list[bool]] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.setdefault(node.id, [])
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            bound.setdefault(node.targets[0].id, []).append(is_rate(node.value))
    stores = [
        n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    return frozenset(n for n, told in bound.items() if told == [True] and stores.count(n) == 1)


def holds_rate(node: ast.AST, names: frozenset[str]) -> bool:
    return is_rate(node) or (isinstance(node, ast.Name) and node.id in names)


def reads_rate(node: ast.expr, names: frozenset[str]) -> bool:
    """The rate as a number: the variable alone, or what Keras takes its number with."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=inner, attr="numpy" | "value" | "read_value"), args=[]
        ):
            return holds_rate(inner, names)
        case ast.Call(func=ast.Attribute(attr=attr) | ast.Name(id=attr), args=[inner], keywords=[]):
            return attr in READERS and holds_rate(inner, names)
        case ast.Attribute(value=inner, attr="value"):
            return holds_rate(inner, names)
    return is_rate(node)


def setting(
    node: ast.AST, names: frozenset[str]
) -> Iterator[tuple[ast.stmt, ast.expr, str, ast.expr]]:
    """A statement that sets the rate: what is set, with which operator, to what."""
    match node:
        case ast.Assign(targets=[target], value=value) if is_rate(target):
            yield node, target, "=", value
        case ast.AugAssign(target=target, op=ast.Mult(), value=value) if is_rate(target):
            yield node, target, "*=", value
        case ast.AugAssign(target=target, op=ast.Div(), value=value) if is_rate(target):
            yield node, target, "/=", value
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="set_value") | ast.Name(id="set_value"),
                args=[target, value],
            )
        ) if holds_rate(target, names):
            yield node, target, "=", value
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=target, attr="assign"), args=[value])
        ) if holds_rate(target, names):
            yield node, target, "=", value


def is_guard(node: ast.AST) -> bool:
    """``if not hasattr(self.model.optimizer, "lr"): raise ...``: there always is one in torch."""
    match node:
        case ast.If(
            test=ast.UnaryOp(
                op=ast.Not(),
                operand=ast.Call(
                    func=ast.Name(id="hasattr"),
                    args=[ast.Attribute(value=owner, attr="optimizer"), ast.Constant(value=name)],
                ),
            ),
            body=[ast.Raise()],
            orelse=[],
        ):
            return name in RATES and is_own(owner, ("model",))
    return False


def is_stop(node: ast.AST) -> bool:
    """``self.model.stop_training = True``."""
    match node:
        case ast.Assign(
            targets=[ast.Attribute(value=owner, attr="stop_training")],
            value=ast.Constant(value=True),
        ):
            return is_own(owner, ("model",))
    return False


def param(node: ast.AST) -> Iterator[str]:
    """The key of ``self.params["epochs"]``."""
    match node:
        case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))) if is_own(
            owner, ("params",)
        ):
            yield key
        case ast.Call(
            func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=str(key))]
        ) if is_own(owner, ("params",)):
            yield key
