"""Operations of Keras in functions and methods that stay: rewritten where they stand."""

from __future__ import annotations

import ast
import re

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Span, code
from k2t.ir.torch import Edit
from k2t.ir.values import Const, Expr, Obj, Samples, Sym, Tensor, Tuple, Value, as_int
from k2t.lower import tensors
from k2t.lower import text as t
from k2t.lower.brackets import binding, bracketed, draws_or_learns, filled, repeated
from k2t.lower.edits import Edits
from k2t.lower.inside import layer_call
from k2t.lower.targets import on_probabilities
from k2t.table import Row

CLIPPED = (
    "{} in a function takes probabilities, clipped at 1e-7; Keras on TensorFlow may find the "
    "logits they come from, which differs within 1e-7 of 0 and 1"
)
LISTED = re.compile(r"\[\*([\w.]+)\]")
"""A list made of a list alone."""
WITHIN = ("operation", "layer_call", "asked", "constant")
"""Uses that are rewritten with the expression that they stand in."""


def operation(edits: Edits, use: Use) -> None:
    """An operation in such a function: rewritten where it stands, with those inside it."""
    others = [u for u in edits.program.uses if u.kind in WITHIN[:3] and u.call != use.call]
    for leftover in edits.program.leftovers:
        if leftover.span == use.call:
            raise NotMigrated(
                "K2T301", "a function of tensors is also called with something else", use.call
            )
    added = [m.added for m in edits.program.models if m.added is not None]
    moved = [s for one in added for s in (*one.statements, one.span)]
    if any(use.call in u.call for u in others) or any(use.call in s for s in moved):
        return
    edits.edits.append(Edit(use.call, (placed(edits, use.call, spelled(edits, use)),)))


def text_of(edits: Edits, span: Span) -> str:
    """A piece of source with its operations and constants rewritten."""
    inner = [u for u in edits.program.uses if u.kind in WITHIN and u.call in span]
    outermost = [u for u in inner if not any(u.call in o.call and u is not o for o in inner)]
    source, position, parts = edits.program.source, span.start, []
    for use in sorted(outermost, key=lambda u: u.call.start):
        if use.kind == "constant" and use.data["value"] is ...:
            raise NotMigrated("K2T900", f"{use.data['path']} has several values here", use.call)
        new = t.literal(use.data["value"]) if use.kind == "constant" else spelled(edits, use)
        tight = use.call != span and use.kind != "constant"
        parts += [
            source.text[position : use.call.start],
            new if not tight else placed(edits, use.call, new),
        ]
        position = use.call.end
    return "".join((*parts, source.text[position : span.end]))


LEFT = re.compile(r"(\*\*|[-+*/@%<>&|^~]|[=!<>]=|\b(?:and|or|not|is|in))\s*$")
RIGHT = re.compile(r"(?:\s|#.*\n)*(\*\*|[-+*/%<>&|^.@]|[=!]=)|[ \t]*([\[(]|(?:and|or|is|in|if)\b)")
STRENGTH = {"**": 8, "*": 6, "/": 6, "@": 6, "%": 6, "+": 5, "-": 5, ".": 9, "[": 9, "(": 9}


def placed(edits: Edits, span: Span, new: str) -> str:
    """New text for an expression, in brackets where an operator beside it would take it apart."""
    text, mine = edits.program.source.text, binding(new)
    left = LEFT.search(text, max(0, span.start - 40), span.start)
    right = RIGHT.match(text, span.end)
    if left is not None and mine <= STRENGTH.get(left.group(1), 3 if mine else 0):
        return f"({new})"
    if right is not None and mine < STRENGTH.get(
        right.group(1) or right.group(2), 3 if mine else 1
    ):
        return f"({new})"
    return new


def spelled(edits: Edits, use: Use) -> str:
    if use.kind == "asked":
        return filled(str(use.data["way"]), {"x": text_of(edits, use.data["x"])})
    if use.kind == "layer_call":
        given = [(key, text_of(edits, span)) for key, span in use.data["given"]]
        return layer_call(edits.ctx, use, given)
    made = use.data["operation"]
    text = operation_text(edits, use, made)
    for other in use.data.get("others", ()):
        if operation_text(edits, use, other["operation"]) != text:
            callee = edits.program.source.slice(use.call).partition("(")[0]
            if made.row.startswith("activations.") and callee.startswith("self."):
                return f"{callee}({operand(edits, made, 'x', use)})"  # it looked up its own
            why = "an operation that is another one when it is called again"
            raise NotMigrated("K2T141", why, use.call)
    return text


def operation_text(edits: Edits, use: Use, made: Obj) -> str:
    section, _, name = made.row.rpartition(".")
    row = edits.ctx.table.rows[section or "ops"][name]
    if section == "losses":
        return loss_text(edits, row, made, use)
    if section:
        axis = as_int(made.args["axis"].value) if "axis" in made.args else -1
        call = str(row.for_dialect(edits.ctx.dialect, "call"))
        if axis is None or (axis != -1 and "-1" not in call):
            raise NotMigrated("K2T301", f"{name} over another axis is not carried over", use.call)
        x = operand(edits, made, "x", use)
        return computed_once(filled(call.replace("-1", str(axis)), {"x": x}), [x], name, use)
    wanted = [row.data["list"]] if row.get("list") else row.get("tensors", [row.params[0].name])
    operands = {n: operand(edits, made, n, use) for n in wanted}
    values = {
        n: written(edits, arg.value, arg.span) for n, arg in made.args.items() if n not in operands
    }
    scalars = {n for n in operands if isinstance(made.args[n].value, Const | Sym | Samples)}
    if name == "mean":
        truths = use.data["truths"]
        operands = {n: f"{bracketed(x)}.float()" if n in truths else x for n, x in operands.items()}
    if row.get("clipped") and t.same_value(values["from_logits"], False):
        edits.note("K2T302", Severity.WARNING, CLIPPED.format(name), use.call)
    if row.get("random") and tensors.seeded(values):
        edits.note("K2T170", Severity.INFO, tensors.SEEDED, use.call)
    if row.get("helper"):
        edits.ctx.helpers[row.data["helper"]] = None
    text = tensors.spelled(row, operands, values, scalars)
    return LISTED.sub(r"\1", computed_once(text, list(operands.values()), name, use))


def computed_once(text: str, operands: list[str], name: str, use: Use) -> str:
    """An operation whose words have an operand several times, if that does not matter.

    Raises:
        NotMigrated: the operand draws or learns, and there is no line for it to stand in before.
    """
    if any(map(draws_or_learns, repeated(text, operands))):
        why = f"{name} reads what a layer gives several times: give that a name first"
        raise NotMigrated("K2T141", why, use.call)
    return text


def operand(edits: Edits, made: Obj, name: str, use: Use) -> str:
    row = edits.ctx.table.rows[made.row.rpartition(".")[0] or "ops"][made.row.rpartition(".")[2]]
    arg = made.args[name]
    if isinstance(arg.value, Tensor) and not t.is_none(t.get(made.args, "like")):
        return str(t.data(t.get(made.args, "like")))
    if arg.span is None:
        return t.text(arg.value)
    text = text_of(edits, arg.span)
    if not isinstance(arg.value, Tuple) or "list" not in row.data or "rest" in row.data:
        return text
    if not isinstance(ast.parse(text, mode="eval").body, ast.List | ast.Tuple | ast.ListComp):
        return f"*{bracketed(text)}"
    return text[1:-1].strip().rstrip(",")


def written(edits: Edits, value: Value, span: Span | None) -> Value:
    """An argument in the words of the script."""
    if span is None or isinstance(value, Tensor) or t.is_none(value):
        return value
    expr = Expr(text_of(edits, span))
    match value:
        case Const():
            return Const(value.value, expr)
        case Sym() | Samples():
            return Sym(expr, getattr(value, "type", None))
        case Tuple():
            return Tuple(value.items, expr)
    return value


def loss_text(edits: Edits, row: Row, made: Obj, use: Use) -> str:
    """A loss of Keras inside one of the script, on what the model gives."""
    if row.get("target") == "labels":
        raise NotMigrated("K2T301", f"{row.name} in a function is not carried over", use.call)
    if row.get("only_logits"):
        raise NotMigrated("K2T301", f"{row.name} in a function is not carried over", use.call)
    if row.get("helper"):
        edits.ctx.helpers[str(row.data["helper"])] = None
    each = str(row.data["each"])
    if row.get("tail"):
        each = on_probabilities(edits.ctx, row)[1]
        edits.note(
            "K2T302",
            Severity.WARNING,
            CLIPPED.format(row.name),
            use.call,
        )
    each = (
        each.replace("{smoothing}", "")
        .replace("{delta}", "")
        .replace("{more}", "")
        .replace("{ignored}", "")
    )
    values = {"p": operand(edits, made, "y_pred", use), "y": operand(edits, made, "y_true", use)}
    return filled(each, values)


def in_place(edits: Edits, use: Use) -> None:
    """``x -= y`` of tensors: Keras binds a new one, torch would change the caller's."""
    target, operator, value = use.data["parts"]
    text = edits.program.source.slice(value)
    parts = (value,) if bracketed(text) == text else ("(", value, ")")
    edits.edits.append(Edit(use.call, code(target, " = ", target, f" {operator} ", *parts)))
