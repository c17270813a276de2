"""Schedules of the learning rate: a factor of the rate at each step."""

from __future__ import annotations

from collections.abc import Mapping

from k2t.ir.torch import Line
from k2t.ir.values import Arg, Const, Expr, Obj, Value
from k2t.lower import handed
from k2t.lower import text as t
from k2t.lower.ops import Context, fill
from k2t.lower.parameters import value_or_default
from k2t.lower.shaping import in_product
from k2t.table import Row

RATE = "learning_rate"
ONE = Const(1.0, Expr("1.0"))
"""The optimizer's rate where the schedule gives the rate itself."""


def schedule_of(ctx: Context, args: Mapping[str, Arg]) -> tuple[Row, Obj] | None:
    """The schedule that an optimizer is given as its rate."""
    given = t.get(args, RATE)
    row = ctx.table.section("schedules").get(given.row) if isinstance(given, Obj) else None
    return (row, given) if row is not None and isinstance(given, Obj) else None


def starting(row: Row, made: Obj, args: Mapping[str, Arg]) -> Mapping[str, Arg]:
    """The optimizer's arguments with the rate that the schedule starts from."""
    start = None if other(row, made) and row.get("other_is_rate") else row.get("start")
    rate: Value = t.get(made.args, str(start)) if start is not None else ONE
    return {**args, RATE: Arg(rate, args[RATE].span)}


def other(row: Row, made: Obj) -> bool:
    """Whether the row's other formula holds."""
    return any(
        not t.same_value(value_or_default(row, made.args, name), None if v == "None" else v)
        for name, v in row.get("other_unless", {}).items()
    )


def own_schedule(ctx: Context, args: Mapping[str, Arg]) -> tuple[str, Mapping[str, Arg]] | None:
    """A schedule that is an object of the script's own: its rate at a step, and the optimizer's
    arguments with a rate of one beside it."""
    given = t.get(args, RATE)
    if not handed.is_handed(given):
        return None
    one = handed.known(ctx, given, "a schedule")
    rate = f"{one.text}(torch.tensor(step)).item()"
    return rate, {**args, RATE: Arg(ONE, args[RATE].span)}


def scheduled(ctx: Context, row: Row, made: Obj, optimizer: str) -> tuple[Line, ...]:
    """The optimizer, and what multiplies its rate."""
    helper = row.get("helper")
    template = str(row.data["factor"])
    if "stairs" in row.data and t.flag(made.args, "staircase"):
        template = str(row.data["stairs"])
    when = row.get("short_when", {})
    if when and all(t.same_value(value_or_default(row, made.args, k), v) for k, v in when.items()):
        template = str(row.data["short"])
    if other(row, made):
        template, helper = str(row.data["other"]), row.get("other_helper")
    if helper is not None:
        ctx.helpers[str(helper)] = None
    values = {p.name: in_brackets(value_or_default(row, made.args, p.name)) for p in row.params}
    return by_steps(optimizer, fill(template, values))


def by_steps(optimizer: str, factor: str) -> tuple[Line, ...]:
    return (
        Line(f"optimizer = {optimizer}"),
        Line(f"decay = LambdaLR(optimizer, lambda step: {factor})"),
    )


def in_brackets(value: Value) -> str:
    """An argument inside a formula; lists stay as they are."""
    text = t.text(value)
    return text if text[:1] in "[(" else in_product(text)
