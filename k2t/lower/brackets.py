"""Expressions put together from expressions, with the brackets that this needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

TOKEN = re.compile("‹[^›]*›")
"""A module whose name is not settled yet."""
HOLE = re.compile(r"\{(\w+)\}")
PLAIN = re.compile(r"-?[\w.]+(\[[^\[\]()]*\])*")
"""A name, an attribute, an element, a number: nothing that is computed."""
SURE = ("abs", "float", "int", "len", "list", "max", "min", "range", "round", "sum", "tuple")
CHANCE = re.compile("rand|dropout|normal|bernoulli|multinomial|poisson")
BINDING: dict[type[ast.AST], int] = {
    ast.Pow: 8, ast.Mult: 6, ast.Div: 6, ast.MatMult: 6, ast.Add: 5, ast.Sub: 5,
    ast.BitAnd: 4, ast.BitOr: 2,
}  # fmt: skip


def binding(text: str) -> int:
    """How tightly the outermost operator of an expression binds; 10 where there is none."""
    node = ast.parse(TOKEN.sub("_", text), mode="eval").body
    if isinstance(node, ast.BinOp):
        return BINDING.get(type(node.op), 0)
    if isinstance(node, ast.UnaryOp):
        return 7
    whole = ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.Constant
    return 10 if isinstance(node, whole | ast.Tuple | ast.List) else 0


def bracketed(text: str) -> str:
    return text if binding(text) == 10 else f"({text})"


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its holes filled; brackets where an operator would be torn apart."""

    def put(found: re.Match[str]) -> str:
        text = values[found.group(1)]
        before, after = template[: found.start()], template[found.end() :]
        alone = before.endswith(("(", "[", ", ", "=", "permute", "reshape"))
        exponent = before.endswith("** ") and binding(text) == 7  # a minus
        if exponent or before == after == "" or (alone and (not after or after[0] in "),]")):
            return text
        return bracketed(text)

    return HOLE.sub(put, template)


def repeated(text: str, operands: Sequence[str]) -> list[str]:
    """The operands that an expression computes more often than it is given them."""
    found = []
    for one in dict.fromkeys(operands):
        given = sum(other.count(one) for other in operands)
        if not PLAIN.fullmatch(one) and text.count(one) > given:
            found.append(one)
    return found


def reads_again(text: str, templates: Sequence[str]) -> bool:
    """Whether templates have a computed operand ``{x}`` several times."""
    return not PLAIN.fullmatch(text) and sum(one.count("{x}") for one in templates) > 1


def draws_or_learns(text: str) -> bool:
    """Whether an expression may give something else when it is computed again: a module is called,
    which may drop or keep statistics, a function of the script, or a draw."""
    for node in ast.walk(ast.parse(TOKEN.sub("_", text), mode="eval")):
        if not isinstance(node, ast.Call):
            continue
        path = ast.unparse(node.func)
        own = path.startswith("self.") or (path.isidentifier() and path not in SURE)
        if own or CHANCE.search(path.rpartition(".")[2]):
            return True
    return False


def ends_in(text: str, call: str) -> bool:
    """Whether a call of a method, as ``.transpose(1, 2)``, is the last thing that happens."""
    outermost = text.endswith(call) and ast.parse(TOKEN.sub("_", text), mode="eval").body
    return isinstance(outermost, ast.Call)


def arithmetic(symbol: str, parts: Sequence[str]) -> str:
    """A sum or product of two expressions, with no more brackets than it needs."""
    mine = {" + ": 5, " - ": 5, " * ": 6, " / ": 6}[symbol]
    one, two = parts
    left = one if binding(one) >= mine else f"({one})"
    right = two if binding(two) > mine else f"({two})"
    return f"{left}{symbol}{right}"


def operand_text(text: str) -> str:
    depth = 0
    for char in text:
        depth += char in "([{"
        depth -= char in ")]}"
        if depth == 0 and char in "+-*/":
            return f"({text})"
    return text
