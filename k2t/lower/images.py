"""ImageDataGenerator: an emitted class of that name, whose ``flow`` gives a DataLoader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from k2t.ir.finding import NotMigrated, Severity
from k2t.ir.program import Use
from k2t.ir.source import Span, code, join
from k2t.ir.torch import Edit
from k2t.ir.values import FLOW, Arg, Array, Const, Obj, Sym, Value, as_int
from k2t.lower import text as t
from k2t.lower.edits import Edits, emit_before, need, target

NAME = "ImageDataGenerator"
CODE = "K2T613"
CARRIED = {"x", "y", "batch_size", "shuffle"}


def is_flow(value: Value) -> bool:
    return isinstance(value, Obj) and value.row == FLOW


def generator(edits: Edits, use: Use) -> None:
    """The constructor: arguments that say nothing are left out, with their comments.

    Raises:
        NotMigrated: one says something that the emitted class does not do.
    """
    row = edits.ctx.table.rows["preprocessing"][NAME]
    carried = {*row.data["moves"], *row.data["normalizes"]}
    inert = inert_arguments(edits, use)
    for name, arg in use.args.items():
        if arg.span is not None and name not in inert and name not in carried:
            raise NotMigrated(CODE, f"{NAME}({name}=...) is not carried over", arg.span)
        if arg.span is not None and keyword(edits.program.source.text, arg.span) == arg.span:
            raise NotMigrated(CODE, f"{NAME}: give {name}= by its name", arg.span)
    check_values(use)
    helper = f"{NAME}Full" if normalizes(edits) else NAME
    chosen = emit_before(edits, use, helper, NAME)
    if edits.program.dialect == "keras2":
        emit_before(edits, use, "draw_places_by_rows", "draw_places")
    edits.note(
        "K2T612",
        Severity.INFO,
        "images are moved and normalized as in Keras; what is drawn at random is other numbers",
        use.call,
    )
    rewrite(edits, use, chosen, inert)


def check_values(use: Use) -> None:
    mode = use.args["fill_mode"]
    if t.data(mode.value) not in ("nearest", "constant", "reflect", "wrap"):
        raise NotMigrated(CODE, f"{NAME}: this fill_mode is not carried over", mode.span)
    for name in ("width_shift_range", "height_shift_range"):
        if use.args[name].span is not None and t.data(use.args[name].value) is ...:
            raise NotMigrated(
                CODE, f"{NAME}: whether {name} is a fraction is not known", use.args[name].span
            )


def generators(edits: Edits) -> Iterator[Use]:
    return (use for use in edits.program.uses if use.kind == "generator")


def inert_arguments(edits: Edits, use: Use) -> set[str]:
    """The arguments that are written with the value they have anyway."""
    row = edits.ctx.table.rows["preprocessing"][NAME]
    defaults = {p.name: p.default for p in row.params} | {"data_format": "channels_last"}
    inert = set()
    for name, arg in use.args.items():
        if arg.span is None or name not in defaults:
            continue
        default = next(p.default for p in row.params if p.name == name)
        literal = isinstance(arg.value, Const) and not (arg.value.expr and arg.value.expr.names)
        if literal and any(t.same_value(arg.value, d) for d in (default, defaults[name])):
            inert.add(name)
    zca = use.args.get("zca_whitening")
    if zca is None or zca.span is None or "zca_whitening" in inert:
        inert.add("zca_epsilon")
    return {name for name in inert if name in use.args and use.args[name].span is not None}


def normalizes(edits: Edits) -> bool:
    """Whether a generator of the script does more than move its images."""
    names = edits.ctx.table.rows["preprocessing"][NAME].data["normalizes"]
    return any(
        use.args[name].span is not None and name not in inert_arguments(edits, use)
        for use in generators(edits)
        for name in names
    )


# ---------------------------------------------------------------------- methods


def generator_fit(edits: Edits, use: Use) -> None:
    """``datagen.fit(x)``: goes where nothing is taken from the images."""
    for name in ("augment", "rounds", "seed"):
        arg = use.args.get(name)
        default = {"augment": False, "rounds": 1}.get(name)
        if arg is not None and arg.span is not None and not t.same_value(arg.value, default):
            raise NotMigrated(CODE, f"{NAME}.fit({name}=...) is not carried over", arg.span)
    if normalizes(edits):
        return
    if not use.alone:
        raise NotMigrated(CODE, f"the result of {NAME}.fit is used", use.call)
    edits.removed.append(use.data["whole"])


def flow(edits: Edits, use: Use) -> None:
    """``datagen.flow(x, y)``: stays, as the call of a method that makes a DataLoader."""
    given = [
        arg
        for other in edits.program.uses
        if other.kind in ("fit", "evaluate", "predict")
        for arg in other.args.values()
        if isinstance(arg.value, Obj) and arg.value.span == use.call
    ]
    if not given:
        raise NotMigrated(CODE, "no model is seen that is given these batches", use.call)
    for name, arg in use.args.items():
        if name not in CARRIED and not t.is_none(arg.value):
            raise NotMigrated(CODE, f"{NAME}.flow({name}=...) is not carried over", arg.span)
    x, y = need(use, "x"), need(use, "y")
    for arg in (x, y):
        if not isinstance(arg.value, Array):
            raise NotMigrated(CODE, f"what {NAME}.flow is given is not known", arg.span)
    assert y.span is not None
    text = target(y.value, y.span)
    if text != (y.span,):
        edits.edits.append(Edit(y.span, text))


def check_order(use: Use, flow: Value, shuffle: str) -> None:
    """Keras's fit draws the order of the batches anew, however their rows were drawn."""
    assert isinstance(flow, Obj)
    inner = flow.args.get("shuffle", Arg(Const(True)))
    if shuffle and not t.same_value(inner.value, True):
        raise NotMigrated(
            CODE, "fit shuffles the batches of flow(shuffle=False); give fit shuffle=False",
            use.call,
        )  # fmt: skip


def check_steps(flow: Value, steps: Arg) -> None:
    """Refuse steps that are no whole number, or more than there are batches."""
    assert isinstance(flow, Obj)
    whole = as_int(steps.value) is not None
    if not whole and not (isinstance(steps.value, Sym) and steps.value.type == "int"):
        raise NotMigrated(CODE, "the number of steps is not known to be whole", steps.span)
    x, size = flow.args["x"].value, flow.args.get("batch_size", Arg(Const(32)))
    rows = as_int(x.shape[0]) if isinstance(x, Array) and x.shape else None
    batch, most = as_int(size.value), as_int(steps.value)
    if rows is not None and batch and most is not None and most > -(-rows // batch):
        raise NotMigrated(CODE, "there are fewer batches than steps: Keras ends early", steps.span)


# ---------------------------------------------------------------------- text


def keyword(text: str, span: Span) -> Span:
    """An argument with its keyword, if it has one."""
    found = re.search(r"\w+\s*=\s*$", text[: span.start])
    return Span(found.start() if found else span.start, span.end)


def rewrite(edits: Edits, use: Use, name: str, gone: set[str]) -> None:
    """The call without some arguments; the others keep their comments."""
    text = edits.program.source.text
    assert use.receiver is not None
    opening = text.index("(", use.receiver.end) + 1
    if not gone:
        edits.edits.append(Edit(Span(use.call.start, opening), (f"{name}(",)))
        return
    written = sorted((a.span, key) for key, a in use.args.items() if a.span is not None)
    spans = [(keyword(text, span), key) for span, key in written]
    ends = [span.end for span, _ in spans]
    starts = [*(span.start for span, _ in spans[1:]), use.call.end - 1]
    heads = [text[opening : spans[0][0].start], *map(text.__getitem__, map(slice, ends, starts))]
    kept = [
        (comments(heads[n])[n > 0 :], span, comments(heads[n + 1])[0])
        for n, (span, key) in enumerate(spans)
        if key not in gone
    ]
    lines = [
        [*((line,) for line in above if line), code(span, ",", f"  {behind}" if behind else "")]
        for above, span, behind in kept
    ]
    if len(kept) < 3 and all(not any(above) and not behind for above, _, behind in kept):
        inside = join(", ", [(span,) for _, span, _ in kept])
    else:
        found = re.match(r"\s*", text[text.rfind("\n", 0, use.call.start) + 1 :])
        indent = found[0] if found else ""
        broken = [part for line in lines for one in line for part in (f"\n{indent}    ", *one)]
        inside = code(*broken, f"\n{indent}")
    edits.edits.append(Edit(use.call, code(f"{name}(", inside, ")")))


def comments(between: str) -> list[str]:
    """The comment at the end of an argument's line, and the lines of those below it."""
    first, *rest = between.split("\n")
    found = [line.strip() for line in rest]
    behind = first.strip().lstrip(",").strip()
    return [behind if behind.startswith("#") else "", *(c for c in found if c.startswith("#"))]
