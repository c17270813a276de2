"""A model that is compiled again, for fine tuning: one class, and an attribute that chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Compile, Model
from k2t.ir.source import Code, Span, code
from k2t.ir.torch import Edit, Line, Optimizer, Raw, Snippet
from k2t.ir.values import Arg, Expr, Obj, Sym, Value
from k2t.lower import text as t
from k2t.lower.masks import HEADS
from k2t.lower.ops import Context
from k2t.lower.optimizer_rows import optimizer_row
from k2t.lower.optimizers import check_average, lower_optimizer, value_for
from k2t.lower.parts import layers_of
from k2t.lower.recurrent import inner_layer

RATE = "learning_rate"
CONVOLUTIONAL = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
STAGE = "stage"


@dataclass(frozen=True)
class Settings:
    """An attribute that compile sets: what it starts as, and what each later compile makes it."""

    name: str
    first: str
    later: tuple[tuple[Compile, Code], ...]


def optimizers(ctx: Context, model: Model) -> tuple[Optimizer, Settings | None]:
    """The optimizer of all compiles of a model, and what chooses where they differ.

    Raises:
        NotMigrated: one later compile says different things.
    """
    compiled = model.compile
    assert compiled is not None
    first = t.get(compiled.args, "optimizer")
    check_clipping(ctx, model, first)
    values = [t.get(again.args, "optimizer") for again in compiled.again]
    for again, value in zip(compiled.again, values, strict=True):
        if any(t.get(args, "optimizer") != value for args in again.others):
            why = "compile says different things in different rounds"
            raise NotMigrated("K2T306", why, again.span)
    if not values:
        return lower_optimizer(ctx, first), None
    named = by_attribute(ctx, first)
    if all(by_attribute(ctx, value) == named for value in values):
        made = lower_optimizer(ctx, first)
        if all(lower_optimizer(ctx, value) == made for value in values):
            return made, None
        rates = [code(written(ctx, value)) for value in values]
        start = t.text(rate_of(ctx, first).value)
        return named, Settings(RATE, start, tuple(zip(compiled.again, rates, strict=True)))
    return staged(compiled, [lower_optimizer(ctx, value) for value in (first, *values)])


def check_clipping(ctx: Context, model: Model, optimizer: Value) -> None:
    """Refuse what goes by whole variables where Keras's are others: the two biases of a GRU.

    Raises:
        NotMigrated: there is one.
    """
    row, args = optimizer_row(ctx, optimizer)
    clips = not t.is_none(t.get(args, "clipnorm")) and ctx.dialect != "keras2"
    clips = clips or bool(row.get("whole"))
    waiting, rows = layers_of(model), set()
    while clips and waiting:
        layer = waiting.pop()
        rows.add(inner_layer(layer).row)
        if layer.row == "Model":
            waiting += [one for _, _, one in ctx.made.get(layer.id, ())]
    others = rows & {"LSTM", "SimpleRNN", *CONVOLUTIONAL, *HEADS}
    if row.get("whole") and (others or "GRU" in rows):
        why = (
            f"{row.name} beside {min(others or {'GRU'})}, whose weights have another form in Keras"
        )
        raise NotMigrated("K2T404", why)
    if "GRU" in rows:
        why = "clipnorm beside a GRU, whose two biases are one variable in Keras"
        raise NotMigrated("K2T404", why, args["clipnorm"].span)


def staged(compiled: Compile, made: Sequence[Optimizer]) -> tuple[Optimizer, Settings]:
    """Optimizers of several kinds: the stage of the training says which."""
    for one in made:
        check_average(one)
    kinds = list(dict.fromkeys(made))
    lines: list[Line] = []
    hook: list[Line] = []
    for number, kind in enumerate(kinds, 1):
        if number < len(kinds):
            body = (*kind.lines, Line(f"return {kind.result}"))
            lines += [Line(f"if self.{STAGE} == {number}:"), *map(indented, body)]
        if kind.hook:
            hook += [Line(f"if self.{STAGE} == {number}:"), *map(indented, kind.hook)]
    if len({kind.hook for kind in kinds}) == 1:
        hook = list(kinds[0].hook)
    last = kinds[-1]
    whole = replace(last, lines=(*lines, *last.lines), hook=tuple(hook))
    numbers = [code(str(kinds.index(one) + 1)) for one in made[1:]]
    return whole, Settings(STAGE, "1", tuple(zip(compiled.again, numbers, strict=True)))


def indented(line: Line) -> Line:
    comments = tuple("    " + comment for comment in line.comments)
    return replace(line, text="    " + line.text, comments=comments)


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


def setting_lines(settings: Settings | None, parameters: Sequence[str]) -> tuple[Raw, ...]:
    """The attribute in ``__init__``."""
    if settings is None or (settings.first == settings.name and settings.name in parameters):
        return ()
    return (Raw((f"self.{settings.name} = {settings.first}",)),)


def recompiled(edits: list[Edit], settings: Settings | None, removed: list[Span]) -> None:
    """A later compile sets the attribute."""
    for again, value in settings.later if settings is not None else ():
        assert settings is not None
        assert again.receiver is not None
        assert again.stmt is not None
        place = again.stmt
        removed[:] = [span for span in removed if place not in span]
        text = code(again.receiver, f".{settings.name} = ", value)
        edits.append(Edit(place, Snippet("code", {"code": text})))
