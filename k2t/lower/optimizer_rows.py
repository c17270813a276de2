"""Which row an optimizer of a script is, and what is said of it whatever it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Arg, Const, Obj, Ref, Value
from k2t.lower import text as t
from k2t.lower.ops import Context
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.ir.program import Model
    from k2t.lower.groups import Chain

SQUARES = ("Adam", "AdamW", "Nadam", "RMSprop", "Adagrad", "Adadelta")
"""Those that divide by averages of squared gradients."""


def optimizer_row(ctx: Context, value: Value) -> tuple[Row, Mapping[str, Arg]]:
    """The row of an optimizer given as string, class or object.

    Raises:
        NotMigrated: there is none.
    """
    row = None
    args: Mapping[str, Arg] = {}
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string("optimizers", value.value)
    elif t.is_none(value):
        row = ctx.table.rows["optimizers"]["RMSprop"]
    elif isinstance(value, Ref):
        row = ctx.table.find(value.path)
    elif isinstance(value, Obj):
        row, args = ctx.table.rows["optimizers"].get(value.row), value.args
    if row is not None and row.get("inner"):
        return optimizer_row(ctx, t.get(args, str(row.data["inner"])))
    if row is None or row.section != "optimizers":
        why = t.not_known(ctx.table, "optimizers", value, "the optimizer")
        raise NotMigrated("K2T400", why)
    return in_its_time(ctx, row, args)


def in_its_time(ctx: Context, row: Row, args: Mapping[str, Arg]) -> tuple[Row, Mapping[str, Arg]]:
    """The row of the formula that an optimizer had when it took the arguments it is given.

    Raises:
        NotMigrated: Keras 3, which takes no ``lr``; a flag where Keras 2.2 has a number.
    """
    for name in ("decay", "epsilon"):
        if isinstance(t.data(t.get(args, name)), bool):
            why = (
                f"{row.name}: up to Keras 2.2 this is {name}, in 2.3 it is not; give it by its name"
            )
            raise NotMigrated("K2T402", why, args[name].span)
    said = {name: arg for name, arg in args.items() if arg.span is not None}
    lr = t.spelled(ctx.source, said.get("learning_rate")) == "lr"
    if lr and ctx.dialect == "keras3":
        why = "Keras 3 refuses lr=: write learning_rate=, or say --dialect"
        raise NotMigrated("K2T402", why, said["learning_rate"].span)
    if "decay" in said and row.name.startswith("Nadam"):
        raise NotMigrated("K2T402", "Nadam(decay=...): no version heeds it", said["decay"].span)
    if ctx.dialect != "tf_keras" or "Legacy" in row.name:
        return row, args
    if lr:
        why = "lr= counts here, as up to TensorFlow 2.10; since 2.11 tf.keras ignores it"
        ctx.note("K2T407", "warning", f"{row.name}: {why} and trains at the default rate")
    if "old" in row.data and (lr or {"decay", "schedule_decay"} & said.keys()):
        return ctx.table.rows["optimizers"][row.data["old"]], said
    ctx.changed(row, {})
    return row, args


def note_embedding(ctx: Context, model: Model, chain: Chain) -> None:
    """Keras 3 on TensorFlow squares the gradients of a token that occurs twice one by one."""
    assert model.compile is not None
    row, _ = optimizer_row(ctx, t.get(model.compile.args, "optimizer"))
    fixed = [t.data(t.get(one.args, "trainable")) is False for _, _, one in chain.paths]
    embeds = any(p[2].row == "Embedding" for p, f in zip(chain.paths, fixed, strict=True) if not f)
    if embeds and ctx.dialect == "keras3" and row.name in SQUARES:
        ctx.note(
            "K2T406",
            "warning",
            f"{row.name}: Keras 3 on TensorFlow squares the gradient of each occurrence of a token "
            "in an Embedding, torch that of their sum (23 % of a step's loss in one script)",
        )
