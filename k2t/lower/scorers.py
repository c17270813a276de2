"""Losses and metrics that are classes of the script: modules, and metrics of torchmetrics."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.ir.source import Span, code
from k2t.ir.torch import Edit, Raw
from k2t.ir.values import Array, Instance
from k2t.lower import counted
from k2t.lower.brackets import bracketed
from k2t.lower.edits import Edits
from k2t.lower.inplace import text_of
from k2t.lower.metrics import Metric, check_arguments
from k2t.lower.ops import Context
from k2t.lower.scored import known, targets
from k2t.lower.targets import FUNCTION, Loss, Output

HELD = "self.loss_function"


def loss(ctx: Context, value: Instance, output: Output, y: Array | None) -> Loss:
    found = known(ctx, -value.id, "K2T301")
    each = f"{HELD}({targets(ctx, found, output, y, 'K2T301')}, {{p}})"
    call = each if found.rank == 0 else f"{each}.mean()"
    setup = Raw((f"{HELD} = ", found.span))
    return Loss(FUNCTION, call, each, "float", None, "y_pred", found.rank, setup, True)


def metric(ctx: Context, value: Instance, output: Output, y: Array | None) -> Metric:
    found = known(ctx, -value.id, "K2T500")
    assert ctx.source is not None
    update = f"{targets(ctx, found, output, y, 'K2T500')}, {{p}}"
    return Metric(found.name, None, ctx.source.slice(found.span), update)


def own_class(edits: Edits, use: Use) -> None:
    """``class Own(Loss)`` becomes a module, ``class Own(Metric)`` a metric of torchmetrics."""
    is_loss = use.data["scorer"].endswith("Loss")
    for base in use.data["bases"]:
        edits.edits.append(Edit(base, ("nn.Module" if is_loss else "Metric",)))
    edits.edits += [Edit(span, ("super().__init__()",)) for span in use.data["calls"]]
    edits.edits += [Edit(span, (name,)) for span, name in use.data["renamed"].items()]
    inner = [u for u in edits.program.uses if u.kind == "inner_metric" and u.call in use.call]
    if inner:
        names = sorted({str(u.data["name"]) for u in inner}, key=lambda n: order_of(n, inner))
        again = ("super().reset()", *(f"self.{name}.reset()" for name in names))
        start = use.data["result"].start
        indent = " " * (edits.program.source.column_of(start) - 1)
        body = "".join(f"{indent}    {line}\n" for line in again)
        text = f"def reset(self):\n{body}\n{indent}"
        edits.edits.append(Edit(Span(start, start), (text,)))
    edits.removed += [*use.data["gone"]]
    edits.removed += [Span(d.start - 1, d.end) for d in use.data["decorators"]]


def state(edits: Edits, use: Use) -> None:
    """A number that a metric keeps is summed over the devices."""
    name, size = use.data["name"], use.data["size"]
    made = code("torch.tensor(0.0)") if size is None else code("torch.zeros(", size, ")")
    text = code(f'self.add_state("{name}", ', made, ', dist_reduce_fx="sum")')
    edits.edits.append(Edit(use.stmt, text))


def assigned(edits: Edits, use: Use) -> None:
    target, operator, value = use.data["parts"]
    edits.edits.append(Edit(use.call, code(target, f" {operator} ", value)))


def order_of(name: str, inner: list[Use]) -> int:
    return min(u.call.start for u in inner if u.data["name"] == name)


def inner_metric(edits: Edits, use: Use) -> None:
    """A metric of Keras's that one of the script's holds: one of torchmetrics."""
    held = use.data["held"]
    row = edits.ctx.table.rows["metrics"][held.row]
    if row.get("lower") not in counted.INNER:
        why = f"{row.name} is not carried over in a metric of the script's own"
        raise NotMigrated("K2T500", why, held.span)
    check_arguments(row, held.args)
    made = counted.INNER[str(row.data["lower"])](edits.ctx, row, held.args)
    edits.edits.append(Edit(held.span, (made,)))


def inner_update(edits: Edits, use: Use) -> None:
    held, (y, p) = use.data["held"], use.data["parts"]
    row = edits.ctx.table.rows["metrics"][held.row]
    texts = [bracketed(text_of(edits, span)) for span in (y, p)]
    given = counted.updated_inner(row, held.args, *texts)
    edits.edits.append(Edit(use.call, code(use.data["owner"], f".update({given})")))


def inner_result(edits: Edits, use: Use) -> None:
    edits.edits.append(Edit(use.call, code(use.data["owner"], ".compute()")))
