"""A layer that is a class of the script: how one is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Class, Const, Obj, Shape, Sym, Tuple, Value
from k2t.lower import text as t
from k2t.lower.constraints import statement
from k2t.lower.ops import Context, Op, dim_text, snake
from k2t.lower.parameters import regularizer
from k2t.table import Row

CODE = "K2T160"
WIDTH = "in_features"
LOGGED = "logged_"
"""What a module keeps of its last call for the logs (``add_metric``) begins with this."""


def class_of(layer: Obj) -> int:
    cls = layer.args["class"].value
    assert isinstance(cls, Class)
    return cls.index


def class_name(ctx: Context, layer: Obj) -> str:
    """How the script calls the class of a layer."""
    found: Any = ctx.layers.get(class_of(layer))
    return str(found.layer.name) if found is not None else "layer"


def custom(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """The constructor of a layer of the script, with what it asks to know of its input."""
    found: Any = ctx.layers.get(class_of(layer))
    if found is None:
        raise NotMigrated("K2T903", "the class of this layer is not migrated", layer.span)
    parts = []
    if "rnn" in layer.args:
        shape = shape[1:] if shape is not None else None  # of a step
    if found.takes is not None:
        known = shape is not None and layer.args.get("form") is not None
        single = not known or layer.args["form"].value == Const("{0}")
        if not single or shape is None or (width is None and found.takes == WIDTH):
            raise NotMigrated(
                CODE, f"the shape that {found.layer.name} gets is not known", layer.span
            )
        sizes = ["None", *(dim_text(d) or "None" for d in shape)]
        parts.append(str(width) if found.takes == WIDTH else f"({', '.join(sizes)})")
    for key, arg in layer.args.items():
        if key.startswith("@"):
            keyword = "" if key[1:].isdigit() else f"{key[1:]}="
            parts.append(keyword + argument_text(arg.value, layer))
    text = f"{found.layer.name}({', '.join(parts)})"
    if len(found.layer.losses) > 1:
        raise NotMigrated(CODE, f"{found.layer.name}: add_loss several times", layer.span)
    added = (("added_loss", "{p}"),) if found.layer.losses else ()
    penalties, constraints = of_weights(ctx, found.layer, layer)
    if "rnn" in layer.args:
        if added or penalties or constraints or logged_by(found):
            why = f"RNN around {found.layer.name}, which adds losses, penalties or constraints"
            raise NotMigrated("K2T143", why, layer.span)
        return [around(ctx, layer, text)]
    return [
        Op(
            module=text,
            layout="last",
            out="last",
            stem=snake(found.layer.name),
            penalties=(*added, *penalties),
            constraints=constraints,
        )
    ]


def logged_by(found: Any) -> bool:
    return bool(found.layer.metrics)


def around(ctx: Context, layer: Obj, cell: str) -> Op:
    """A loop over the steps of a sequence around a cell of the script's own."""
    sequences, backwards = (t.data(v) for v in layer.args["rnn"].value.items)  # type: ignore[union-attr]
    ctx.helpers["RNN"] = None
    more = ", return_sequences=True" if sequences else ""
    call = "{m}({x}.flip(1))" if backwards else None
    return Op(module=f"RNN({cell}{more})", call=call, layout="last", out="last", stem="rnn")


def logged(ctx: Context, made: Sequence[tuple[str, Op, Obj]]) -> list[tuple[str, str]]:
    """The metrics that layers of the script add, by their names, and where their values are.

    Raises:
        NotMigrated: the layer is one of several, or inside another one.
    """
    found: list[tuple[str, str]] = []
    for path, _, layer in made:
        own: Any = ctx.layers.get(class_of(layer)) if layer.row == "Custom" else None
        for _, _, name in own.layer.metrics if own is not None else ():
            if ":" in path or path.endswith("[?]") or name in dict(found):
                raise NotMigrated(
                    CODE, f"{own.layer.name}: add_metric in several layers", layer.span
                )
            found.append((name, f"{path}.{LOGGED}{name}"))
    return found


Pairs = tuple[tuple[str, str], ...]


def of_weights(ctx: Context, cls: Any, layer: Obj) -> tuple[Pairs, Pairs]:
    """Penalties and constraints of the weights that a class adds itself, in Keras's order of axes.

    Raises:
        NotMigrated: one is said in words of the class, or is another one in another instance.
    """
    penalties: dict[tuple[str, str], None] = {}
    constraints: dict[tuple[str, str], None] = {}
    for name, penalty, constraint in cls.held:
        if not t.is_none(penalty):
            penalties[name, regularizer(ctx, penalty)] = None
        if not t.is_none(constraint):
            constraints[name, statement(ctx, constraint, None, "")] = None
    for found in (penalties, constraints):
        names = [name for name, _ in found]
        if "" in names or len(set(names)) < len(names):
            raise NotMigrated(CODE, f"{cls.name}: a weight with several regularizers", layer.span)
    texts = [text for _, text in (*penalties, *constraints)]
    known = {"p", "abs", "square", "sum", "copy_", "clamp_", "min", "dim", "e"}
    known |= {"max_norm", "unit_norm", "min_max_norm"}
    if any(set(re.findall(r"[A-Za-z_]+", text)) - known for text in texts):
        why = f"{cls.name}: the regularizer or constraint of a weight with numbers of its own"
        raise NotMigrated(CODE, why, layer.span)
    return tuple(penalties), tuple(constraints)


def argument_text(value: Value, layer: Obj) -> str:
    """An argument as it is written."""
    if isinstance(value, Const | Sym | Tuple) or getattr(value, "expr", None) is not None:
        return t.text(value)
    raise NotMigrated(CODE, "an argument of this layer is not carried over", layer.span)
