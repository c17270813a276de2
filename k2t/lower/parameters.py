"""Initial values and regularizers of a layer's parameters."""

from __future__ import annotations

from collections.abc import Mapping

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Arg, Const, Obj, Ref, Shape, Value
from k2t.lower import handed
from k2t.lower import text as t
from k2t.lower.handed import is_handed
from k2t.lower.ops import Context, Op, ParamInit, fill
from k2t.table import Row


def param_inits(ctx: Context, row: Row, layer: Obj) -> tuple[ParamInit, ...]:
    found = []
    for torch, keras in row.get("weights", {}).items():
        if all(p.name != f"{keras}_initializer" for p in row.params):
            continue  # it starts as torch's does
        value = t.get(layer.args, f"{keras}_initializer")
        if is_handed(value):
            text_, words = handed.start(ctx, value, row, keras)
        else:
            text_, words = initializer(ctx, value)
        found.append(ParamInit(torch, text_, words, keras))
    return tuple(found)


def initializer(ctx: Context, value: Value) -> tuple[str, str]:
    """The statement that initialises ``{p}`` and its name in words.

    Raises:
        NotMigrated: the initializer has no row.
    """
    table = ctx.table
    if isinstance(value, Const) and isinstance(value.value, str):
        row = table.string("initializers", value.value)
        args: Mapping[str, Arg] = {}
        if row is not None and value.expr is not None and value.expr.text.isidentifier():
            values = ctx.tables.setdefault("INITIALIZERS", {})
            values[value.value] = function_of(ctx, fill_row(row, {}))
            return f"INITIALIZERS[{value.expr.text}]({{p}})", "its own"
    elif isinstance(value, Ref):
        row, args = table.find(value.path), {}
    elif isinstance(value, Obj):
        row, args = table.rows["initializers"].get(value.row), value.args
    else:
        row = None
    if row is None or row.section != "initializers":
        why = t.not_known(table, "initializers", value, "the initializer")
        raise NotMigrated("K2T200", why)
    statement = fill_row(row, args)
    for helper in ("glorot_normal_", "he_normal_", "lecun_normal_", "variance_scaling_"):
        if statement.startswith(helper):
            ctx.helpers[helper] = None
    return statement, str(row.get("words", row.name))


def fill_row(row: Row, args: Mapping[str, Arg]) -> str:
    template = row.data["torch"]
    when = row.get("short_when", {})
    if when and all(t.same_value(value_or_default(row, args, k), v) for k, v in when.items()):
        template = row.data["short"]
    values = {p.name: t.text(value_or_default(row, args, p.name)) for p in row.params}
    return fill(template, values)


def value_or_default(row: Row, args: Mapping[str, Arg], name: str) -> Value:
    if name in args:
        return args[name].value
    return Const(next(p.default for p in row.params if p.name == name))


def function_of(ctx: Context, statement: str) -> str:
    """``nn.init.zeros_({p})`` as a function of the parameter."""
    name, _, rest = statement.partition("(")
    if rest == "{p})":
        if not name.startswith("nn."):
            ctx.helpers[name] = None
        return name
    return "lambda p: " + statement.replace("{p}", "p")


def penalties(ctx: Context, row: Row, layer: Obj) -> tuple[tuple[str, str], ...]:
    """(torch parameter, penalty of ``{p}``) for each regularizer."""
    found = []
    for torch, keras in row.get("weights", {}).items():
        value = t.get(layer.args, f"{keras}_regularizer")
        if t.is_none(value):
            continue
        own = is_handed(value)
        places = halves(row, layer, torch, keras)
        if own and len(places) > 1:
            raise NotMigrated(
                "K2T165", f"a function of the script's own for the bias of {row.name}"
            )
        if own:
            text = handed.penalty(ctx, value, row, keras)
        else:
            text = regularizer(ctx, value, ROWS.get((row.name, keras)))
        found += [(place, text) for place in places]
    return tuple(found)


def halves(row: Row, layer: Obj, torch: str, keras: str) -> list[str]:
    """Where torch has a parameter of Keras's: both biases of a GRU are one there, or of CuDNN's."""
    gru = row.get("torch_class") == "GRU" and t.flag(layer.args, "reset_after")
    both = keras == "bias" and (gru or "@spelling" in layer.args)
    return [torch, torch.replace("_ih_", "_hh_")] if both else [torch]


def activity(ctx: Context, value: Value, layer: Obj) -> Op:
    """What keeps the penalty of a layer's output.

    Raises:
        NotMigrated: Keras 2, whose versions differ; the layer gives its states, too.
    """
    if ctx.dialect == "keras2":
        why = (
            "activity_regularizer: Keras 2 does not divide by the size of the batch, later ones do"
        )
        raise NotMigrated("K2T300", why, layer.span)
    if t.flag(layer.args, "return_state"):
        raise NotMigrated("K2T300", "activity_regularizer beside states", layer.span)
    layout, text = "any", ""
    if is_handed(value):
        one = handed.known(ctx, value, "a regularizer")
        layout, text = "any" if one.any_order else "last", one.text
    else:
        text = f"lambda x: {regularizer(ctx, value).replace('{p}', 'x')}"
    ctx.helpers["ActivityPenalty"] = None
    module = f"ActivityPenalty({text})"
    return Op(module=module, layout=layout, stem="activity", penalties=(("value", "{p}"),))


def activity_layer(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """ActivityRegularization: the penalty and nothing else."""
    made = Obj(layer.id, "L1L2", layer.args, layer.span, layer.stmt)
    return [activity(ctx, made, layer)]


ROWS = {("Dense", "kernel"): ("{p}.T", "{p}"), ("Embedding", "embeddings"): ("{p}", "{p}.T")}
"""What has the rows of Keras's matrix as rows, and what its columns."""


def regularizer(ctx: Context, value: Value, rows: tuple[str, str] | None = None) -> str:
    """The penalty of ``{p}``; ``rows`` where it is a matrix.

    Raises:
        NotMigrated: it is not known, or wants a matrix.
    """
    args: Mapping[str, Arg] = {}
    row = None
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string("regularizers", value.value)
        own = row.for_dialect(ctx.dialect, "spellings", {}) if row is not None else {}
        args = {k: Arg(Const(v)) for k, v in own.get(value.value, {}).items()}
    elif isinstance(value, Obj):
        row, args = ctx.table.rows["regularizers"].get(value.row), value.args
    if row is None:
        why = t.not_known(ctx.table, "regularizers", value, "the regularizer")
        raise NotMigrated("K2T300", why)
    if row.name == "L1L2":
        parts = []
        for name, shape in (("l1", "abs"), ("l2", "square")):
            factor = value_or_default(row, args, name)
            if not t.same_value(factor, 0.0):
                parts.append(f"{t.text(factor)} * {{p}}.{shape}().sum()")
        return " + ".join(parts)
    values = {p.name: t.text(value_or_default(row, args, p.name)) for p in row.params}
    if "helper" in row.data:
        mode = t.data(value_or_default(row, args, "mode"))
        if rows is None or mode not in ("rows", "columns"):
            why = f"{row.name} of something else than a kernel of Dense or Embedding"
            raise NotMigrated("K2T300", why)
        ctx.helpers[row.data["helper"]] = None
        values["rows"] = rows[mode == "columns"]
    return fill(row.data["penalty"], values)
