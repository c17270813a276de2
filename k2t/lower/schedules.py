"""Schedules of the learning rate: a factor of the rate at each step."""

from __future__ import annotations

from collections.abc import Mapping

from k2t.ir.finding import NotMigrated
from k2t.ir.torch import Line
from k2t.ir.values import Arg, Const, Expr, Obj, Value
from k2t.lower import text as t
from k2t.lower.ops import Context, fill
from k2t.lower.parameters import value_or_default
from k2t.lower.shaping import in_product
from k2t.table import Row

RATE = "learning_rate"


def schedule_of(ctx: Context, args: Mapping[str, Arg]) -> tuple[Row, Obj] | None:
    """The schedule that an optimizer is given as its rate."""
    given = t.get(args, RATE)
    row = ctx.table.section("schedules").get(given.row) if isinstance(given, Obj) else None
    return (row, given) if row is not None and isinstance(given, Obj) else None


def starting(row: Row, made: Obj, args: Mapping[str, Arg]) -> Mapping[str, Arg]:
    """The optimizer's arguments with the rate that the schedule starts from."""
    start = row.get("start")
    one = Const(1.0, Expr("1.0"))
    rate: Value = t.get(made.args, str(start)) if start is not None else one
    return {**args, RATE: Arg(rate, args[RATE].span)}


def scheduled(row: Row, made: Obj, optimizer: str) -> tuple[Line, ...]:
    """The optimizer, and what multiplies its rate.

    Raises:
        NotMigrated: an argument that is not carried over.
    """
    for name in row.get("fixed", ()):
        arg = made.args.get(name)
        default = next(p.default for p in row.params if p.name == name)
        if arg is not None and arg.span is not None and not t.same_value(arg.value, default):
            raise NotMigrated("K2T404", f"{row.name}({name}=...) is not carried over", arg.span)
    template = str(row.data["factor"])
    if "stairs" in row.data and t.flag(made.args, "staircase"):
        template = str(row.data["stairs"])
    when = row.get("short_when", {})
    if when and all(t.same_value(value_or_default(row, made.args, k), v) for k, v in when.items()):
        template = str(row.data["short"])
    values = {p.name: in_brackets(value_or_default(row, made.args, p.name)) for p in row.params}
    return (
        Line(f"optimizer = {optimizer}"),
        Line(f"decay = LambdaLR(optimizer, lambda step: {fill(template, values)})"),
    )


def in_brackets(value: Value) -> str:
    """An argument inside a formula; lists stay as they are."""
    text = t.text(value)
    return text if text[:1] in "[(" else in_product(text)
