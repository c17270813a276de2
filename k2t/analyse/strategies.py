"""``tf.distribute``: strategies that place a model on several devices."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from k2t.analyse.state import statements

MAKERS = (
    "tensorflow.distribute.MirroredStrategy",
    "tensorflow.distribute.MultiWorkerMirroredStrategy",
    "tensorflow.distribute.experimental.MultiWorkerMirroredStrategy",
    "tensorflow.distribute.experimental.CentralStorageStrategy",
    "tensorflow.distribute.OneDeviceStrategy",
    "tensorflow.distribute.get_strategy",
)

Path = Callable[[ast.AST], str | None]


@dataclass(frozen=True)
class Strategy:
    """A strategy in a variable: the statement that makes it, the ``with`` statements it is in, and
    where the script asks how many replicas it has."""

    path: str
    made: ast.stmt
    scopes: tuple[ast.With, ...]
    replicas: tuple[ast.AST, ...]


def strategies(tree: ast.Module, path: Path) -> Iterator[Strategy]:
    """The strategies that a script does no more with than that."""
    all_ = list(statements(tree.body))
    for stmt in all_:
        match stmt:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)):
                if path(func) not in MAKERS:
                    continue
                scopes = tuple(s for s in all_ if isinstance(s, ast.With) and is_scope(s, name))
                asked = tuple(n for n in ast.walk(tree) if asks(n, name))
                known = [*scopes, *asked]
                names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name]
                if len(names) == len(known) + 1:
                    yield Strategy(path(func) or "", stmt, scopes, asked)


def is_scope(stmt: ast.With, name: str) -> bool:
    """``with strategy.scope():``."""
    match stmt.items:
        case [
            ast.withitem(
                context_expr=ast.Call(
                    func=ast.Attribute(value=ast.Name(id=found), attr="scope"), args=[]
                ),
                optional_vars=None,
            )
        ]:
            return found == name
    return False


def asks(node: ast.AST, name: str) -> bool:
    """``strategy.num_replicas_in_sync``."""
    match node:
        case ast.Attribute(value=ast.Name(id=found), attr="num_replicas_in_sync"):
            return found == name
    return False
