"""Losses and metrics that are functions of the script: called by the step, lowered in place."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Scored, Use
from k2t.ir.source import Span
from k2t.ir.torch import Edit, Raw
from k2t.ir.values import Array, Const, Expr, Function, Obj, Sym, Tensor, Tuple, Value, as_int
from k2t.lower import tensors
from k2t.lower import text as t
from k2t.lower.brackets import bracketed, filled
from k2t.lower.edits import Edits
from k2t.lower.ops import Context
from k2t.lower.targets import FUNCTION, Loss, Metric, Output, on_probabilities
from k2t.table import Row

STEP_NAMES = {"self", "batch", "batch_idx", "prefix", "x", "y", "weights", "logits", "y_pred"}
STEP_NAMES |= {"loss", "losses", "logs", "parts"}
"""What the step binds itself: a function of such a name is called by another one there."""


def known(ctx: Context, value: Function, code: str) -> Scored:
    """What is known of a function.

    Raises:
        NotMigrated: not enough.
    """
    found = ctx.functions.get(value.index)
    if found is None or found.problem is not None:
        kind = "loss" if code == "K2T301" else "metric"
        why = f": {found.problem}" if found is not None else ""
        raise NotMigrated(code, f"the {kind} of the script is not carried over{why}")
    return found


def loss(ctx: Context, value: Function) -> Loss:
    """A loss of the script; Keras takes the mean of what it gives."""
    found = known(ctx, value, "K2T301")
    callee = name_in_step(found)
    each = f"{callee or 'self.loss_function'}({{y}}, {{p}})"
    call = each if found.rank == 0 else f"{each}.mean()"
    setup = None if callee else Raw(("self.loss_function = ", found.span))
    return Loss(FUNCTION, call, each, "float", None, "y_pred", found.rank, setup, True)


def name_in_step(found: Scored) -> str | None:
    """How the step calls a function by its own name; None where it has none there."""
    return None if found.text in STEP_NAMES else found.text


def metric(ctx: Context, value: Function, output: Output, y: Array | None) -> Metric:
    """A metric of the script: over the samples, or over the batches if it gives one value."""
    found = known(ctx, value, "K2T500")
    if found.rank is None:
        raise NotMigrated("K2T500", f"whether {found.name} gives one value a batch is not known")
    name = found.name if found.name.isidentifier() else "lambda_metric"
    target = "{y}"
    if ctx.dialect == "keras3" and output.units == 1 and len(output.shape or ()) == 1:
        if y is None or y.shape is None:
            raise NotMigrated(
                "K2T500",
                f"{found.name} gets targets as they are in Keras 3, and their rank is not known",
            )
        if len(y.shape) == 1:
            target = "{y}.flatten()"
            ctx.note(
                "K2T506",
                "info",
                f"Keras 3 gives {found.name} targets of shape (n,) beside predictions (n, 1), "
                "which meet as (n, n), and so does this; else take .flatten() out",
            )
    callee = name_in_step(found)
    call = f"{callee or f'self.{name}_function'}({target}, {{p}})"
    setup = None if callee else Raw((f"self.{name}_function = ", found.span))
    if found.rank == 0 and ctx.dialect != "keras2":  # that one goes by the size of the batch
        return Metric(found.name, call, mean=True, setup=setup)
    return Metric(found.name, call if found.rank == 0 else f"{call}.mean()", setup=setup)


def operation(edits: Edits, use: Use) -> None:
    """An operation in such a function: rewritten where it stands, with those inside it."""
    others = [u for u in edits.program.uses if u.kind == "operation" and u.call != use.call]
    for leftover in edits.program.leftovers:
        if leftover.span == use.call:
            raise NotMigrated(
                "K2T301", "a function of tensors is also called with something else", use.call
            )
    added = [m.added for m in edits.program.models if m.added is not None]
    moved = [s for one in added for s in (*one.statements, one.span)]
    if any(use.call in u.call for u in others) or any(use.call in s for s in moved):
        return
    edits.edits.append(Edit(use.call, (spelled(edits, use),)))


def text_of(edits: Edits, span: Span) -> str:
    """A piece of source with its operations and constants rewritten."""
    inner = [
        u for u in edits.program.uses if u.kind in ("operation", "constant") and u.call in span
    ]
    outermost = [u for u in inner if not any(u.call in o.call and u is not o for o in inner)]
    source, position, parts = edits.program.source, span.start, []
    for use in sorted(outermost, key=lambda u: u.call.start):
        if use.kind == "constant" and use.data["value"] is None:
            raise NotMigrated("K2T900", f"{use.data['path']} has several values here", use.call)
        new = spelled(edits, use) if use.kind == "operation" else t.literal(use.data["value"])
        tight = use.call != span and use.kind == "operation"
        parts += [
            source.text[position : use.call.start],
            new if not tight or torn(edits, use, new) else bracketed(new),
        ]
        position = use.call.end
    return "".join((*parts, source.text[position : span.end]))


def torn(edits: Edits, use: Use, new: str) -> bool:
    """Whether an expression stands alone between brackets and commas, and needs none of its own."""
    text = edits.program.source.text
    before, after = text[: use.call.start].rstrip(), text[use.call.end :].lstrip()
    return before.endswith(("(", "[", ",", "=")) and after[:1] in (")", "]", ",")


def spelled(edits: Edits, use: Use) -> str:
    made = use.data["operation"]
    assert isinstance(made, Obj)
    section, _, name = made.row.rpartition(".")
    row = edits.ctx.table.rows[section or "ops"][name]
    if section == "losses":
        return loss_text(edits, row, made, use)
    if section:
        axis = made.args.get("axis")
        if axis is not None and as_int(axis.value) != -1:
            raise NotMigrated("K2T301", f"{name} over another axis is not carried over", use.call)
        call = str(row.for_dialect(edits.ctx.dialect, "call"))
        return filled(call, {"x": operand(edits, made, "x", use)})
    wanted = [row.data["list"]] if row.get("list") else row.get("tensors", [row.params[0].name])
    operands = {n: operand(edits, made, n, use) for n in wanted}
    values = {
        n: written(edits, arg.value, arg.span) for n, arg in made.args.items() if n not in operands
    }
    scalars = {n for n in operands if isinstance(made.args[n].value, Const | Sym)}
    if name == "mean":
        truths = use.data["truths"]
        operands = {n: f"{bracketed(x)}.float()" if n in truths else x for n, x in operands.items()}
    return tensors.spelled(row, operands, values, scalars)


def operand(edits: Edits, made: Obj, name: str, use: Use) -> str:
    arg = made.args[name]
    if arg.span is None:
        return t.text(arg.value)
    text = text_of(edits, arg.span)
    if not isinstance(arg.value, Tuple):
        return text
    if text[:1] not in ("[", "("):
        raise NotMigrated("K2T301", "a list of tensors that is not written in its call", use.call)
    return text[1:-1].strip().rstrip(",")


def written(edits: Edits, value: Value, span: Span | None) -> Value:
    """An argument in the words of the script."""
    if span is None or isinstance(value, Tensor) or t.is_none(value):
        return value
    expr = Expr(text_of(edits, span))
    match value:
        case Const():
            return Const(value.value, expr)
        case Sym():
            return Sym(expr, value.type)
        case Tuple():
            return Tuple(value.items, expr)
    return value


def loss_text(edits: Edits, row: Row, made: Obj, use: Use) -> str:
    """A loss of Keras inside one of the script, on what the model gives."""
    if row.get("target") == "labels":
        raise NotMigrated("K2T301", f"{row.name} in a function is not carried over", use.call)
    each = str(row.data["each"])
    if row.get("tail"):
        each = on_probabilities(edits.ctx, row)[1]
        edits.note(
            "K2T302",
            Severity.WARNING,
            f"{row.name} in a function takes probabilities, clipped at 1e-7; Keras on TensorFlow "
            "may find the logits they come from, which differs within 1e-7 of 0 and 1",
            use.call,
        )
    each = each.replace("{smoothing}", "").replace("{delta}", "").replace("{more}", "")
    values = {"p": operand(edits, made, "y_pred", use), "y": operand(edits, made, "y_true", use)}
    return filled(each, values)
