"""A model that is compiled again, for fine tuning: the same class with another learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Compile, Model
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit, Optimizer, Raw, Snippet
from k2t.ir.values import Arg, Expr, Obj, Sym, Value
from k2t.lower import text as t
from k2t.lower.ops import Context
from k2t.lower.optimizers import lower_optimizer, optimizer_row, value_for

RATE = "learning_rate"


@dataclass(frozen=True)
class Rates:
    """The learning rate as an attribute: what it starts as, and what each compile sets it to."""

    first: str
    later: tuple[tuple[Compile, Code], ...]


def optimizers(ctx: Context, model: Model) -> tuple[Optimizer, Rates | None]:
    """The optimizer of all compiles of a model.

    Raises:
        NotMigrated: they differ by more than their learning rate.
    """
    compiled = model.compile
    assert compiled is not None
    first = t.get(compiled.args, "optimizer")
    made = lower_optimizer(ctx, first)
    if not compiled.again:
        return made, None
    values = [t.get(again.args, "optimizer") for again in compiled.again]
    if all(lower_optimizer(ctx, value) == made for value in values):
        return made, None
    named = by_attribute(ctx, first)
    for again in compiled.again:
        given = [t.get(args, "optimizer") for args in (again.args, *again.others)]
        if any(by_attribute(ctx, value) != named for value in given):
            raise NotMigrated(
                "K2T306", "compiled again with more than another learning rate", again.span
            )
    later = [(one, code(written(ctx, v))) for one, v in zip(compiled.again, values, strict=True)]
    return named, Rates(t.text(rate_of(ctx, first).value), tuple(later))


def rate_of(ctx: Context, value: Value) -> Arg:
    row, args = optimizer_row(ctx, value)
    given = args.get(RATE)
    return given if given is not None else Arg(value_for(row.signature(ctx.dialect), args, RATE))


def by_attribute(ctx: Context, value: Value) -> Optimizer:
    """The optimizer with ``self.learning_rate`` as its rate."""
    row, args = optimizer_row(ctx, value)
    rate = Arg(Sym(Expr(f"self.{RATE}")), args[RATE].span if RATE in args else None)
    place = value.span if isinstance(value, Obj) else Span(0, 0)
    return lower_optimizer(ctx, Obj(0, row.name, {**args, RATE: rate}, place, place))


def written(ctx: Context, value: Value) -> str | Span:
    rate = rate_of(ctx, value)
    return rate.span if rate.span is not None else t.text(rate.value)


def rate_lines(rates: Rates | None, parameters: Sequence[str]) -> tuple[Raw, ...]:
    """The attribute in ``__init__``."""
    if rates is None or (rates.first == RATE and RATE in parameters):
        return ()
    return (Raw((f"self.{RATE} = {rates.first}",)),)


def recompiled(edits: list[Edit], rates: Rates | None, removed: list[Span]) -> None:
    """A later compile sets the learning rate."""
    for again, rate in rates.later if rates is not None else ():
        assert again.receiver is not None
        assert again.stmt is not None
        place = again.stmt
        removed[:] = [span for span in removed if place not in span]
        text = code(again.receiver, f".{RATE} = ", rate)
        edits.append(Edit(place, Snippet("code", {"code": text})))
