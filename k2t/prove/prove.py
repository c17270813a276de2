"""The proof that structure is kept: a model's classes against the same model layer by layer."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from k2t.ir.torch import Proof
from k2t.ir.values import Class, Const, Sym, Tuple
from k2t.prove.replay import Replay, Unclear
from k2t.prove.terms import Comparison, Opaque, difference
from k2t.table import Table


def disproved(proof: Proof, texts: tuple[str, str], table: Table) -> str | None:
    """Why the classes of a model do not make the graph that the script makes; None if they do."""
    names = {n: plain(v, n) for n, v in proof.globals.items() if not isinstance(v, Class)}
    last = {n: plain(v, n) for n, v in proof.finals.items() if not isinstance(v, Class)}
    known = activations(table)
    for values in proof.values or ({},):
        given = {
            name: plain(values[name], name)
            for name in taken(texts[0], proof.reference.name)
            if name in values
        }
        try:
            mine = Replay(ast.parse(texts[0]), names, known)
            theirs = Replay(ast.parse(texts[1]), last, known)
            one = mine.output(proof.reference.name, given)
            two = theirs.output(proof.reference.name, given)
        except Unclear as error:
            return f"it cannot be replayed ({error})"
        comparison = Comparison()
        if not comparison.same(one, two):
            return f"replayed, it has {next(difference(one, two))}"
        holding = [m for m in mine.made if not (m.stateless or m.name in {"Identity", *known})]
        if len(holding) != len(comparison.partner):
            return "replayed, it has modules that are never applied"
    return None


def taken(text: str, name: str) -> list[str]:
    """The parameters of a class."""
    cls = next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == name)
    init = next(n for n in cls.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    return [a.arg for a in init.args.args[1:]]


def plain(value: object, name: str) -> Any:
    """A value of the analysis as Python data; what is not known goes by its name."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Tuple):
        return tuple(plain(item, f"{name}[{i}]") for i, item in enumerate(value.items))
    if isinstance(value, Sym) and value.expr is not None:
        return Opaque(value.expr.text)
    return Opaque(name)


def activations(table: Table) -> Mapping[str, str]:
    """The function (of x) that each activation module is."""
    found = {}
    for row in table.rows["activations"].values():
        module, call = str(row.get("module", "")), str(row.get("call", ""))
        if module and call and not module.endswith(")"):
            found[module.removeprefix("nn.")] = call.replace("{x}", "x")
    return found
