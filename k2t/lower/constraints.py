"""Constraints of a layer's parameters, which hold again after each step of the optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Use
from k2t.ir.torch import Line
from k2t.ir.values import Arg, Const, Obj, Ref, Value
from k2t.lower import text as t
from k2t.lower.handed import is_handed, known, turned
from k2t.lower.initial import Made, in_every, own_names, torch_class
from k2t.lower.ops import Context, fill
from k2t.lower.parameters import halves, value_or_default
from k2t.lower.parts import is_frozen, parts_of
from k2t.table import Row

if TYPE_CHECKING:
    from k2t.lower.model import Draft

CODE = "K2T204"
TRAINED = ("fit", "train_on_batch")
AXES = {"Dense": (1, 0), "Conv1D": (2, 1, 0), "Conv2D": (2, 3, 1, 0), "Conv3D": (2, 3, 4, 1, 0)}
"""Where the axes of Keras's kernels are in torch's."""


def constraints(ctx: Context, row: Row, layer: Obj) -> tuple[tuple[str, str], ...]:
    """(torch parameter, statement about ``{p}``) for each constraint."""
    found: list[tuple[str, str]] = []
    for torch, keras in row.get("weights", {}).items():
        value = t.get(layer.args, f"{keras}_constraint")
        if t.is_none(value):
            continue
        places = halves(row, layer, torch, keras)
        if is_handed(value) and len(places) > 1:
            raise NotMigrated(
                "K2T165", f"a function of the script's own for the bias of {row.name}"
            )
        text = statement(ctx, value, row, keras)
        found += [(place, text) for place in places]
    return tuple(found)


def statement(ctx: Context, value: Value, layer: Row | None, role: str) -> str:
    """What is done to ``{p}``; without a layer it is a weight as the script has it.

    Raises:
        NotMigrated: the constraint is not known, or the axes of its norm.
    """
    if is_handed(value) and layer is not None:
        one = known(ctx, value, "a constraint")
        there, back = turned(layer, role, one)
        return f"{{p}}.copy_({one.text}({{p}}{there}){back})"
    args: Mapping[str, Arg] = {}
    row = None
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string("constraints", value.value)
    elif isinstance(value, Ref):
        row = ctx.table.find(value.path)
    elif isinstance(value, Obj):
        row, args = ctx.table.rows["constraints"].get(value.row), value.args
    if row is None or row.section != "constraints":
        why = t.not_known(ctx.table, "constraints", value, "the constraint")
        raise NotMigrated(CODE, why)
    values = {p.name: value_or_default(row, args, p.name) for p in row.params}
    texts = {name: t.text(one) for name, one in values.items() if name != "axis"}
    if "axis" in values:
        texts["dim"] = dim(t.data(values["axis"]), layer, role)
    if row.get("helper"):
        ctx.helpers[row.data["helper"]] = None
    return fill(row.data["statement"], texts)


def dim(axis: object, layer: Row | None, role: str) -> str:
    """The axis, or the axes, of a norm as torch's weight has them."""
    given = axis if isinstance(axis, tuple) else (axis,)
    if layer is None:
        if not all(isinstance(one, int) for one in given):
            raise NotMigrated(CODE, "the axis of a norm is not known")
        return str(given[0]) if len(given) == 1 else str(given)
    places: Sequence[int] | None = AXES.get(layer.name) if role == "kernel" else (0, 1)
    if places is None or (role != "kernel" and layer.name not in ("Embedding", *AXES)):
        raise NotMigrated(CODE, f"a norm in the {role} of {layer.name}, whose form is another")
    if not all(isinstance(one, int) and -len(places) <= one < len(places) for one in given):
        raise NotMigrated(CODE, "the axis of a norm is not known")
    found = sorted(places[one] for one in given if isinstance(one, int))
    return str(found[0]) if len(found) == 1 else str(tuple(found))


def held_lines(
    made: Draft, drafts: Mapping[int, Draft], params: dict[str, str], uses: Sequence[Use] = ()
) -> tuple[Line, ...]:
    """What a model does after each step. Keras leaves alone what does not train.

    Raises:
        NotMigrated: the constraint is one of a part of it, ``trainable`` is set later on, or the
            weights are averaged.
    """
    compiled = made.model.compile
    frozen = compiled.frozen if compiled is not None else frozenset()
    for number in parts_of(made.model):
        held = held_lines(drafts[number], drafts, {})
        if held and made.loss is not None and number not in frozen:
            raise NotMigrated(CODE, "a constraint in a model that is part of another")
    trains = [
        (path, op, layer)
        for path, op, layer in made.made
        if not (op.constraints and is_frozen(made.model, layer, frozen))
    ]
    lines = constraint_lines(trains)
    if lines and made.optimizer is not None and made.optimizer.callbacks:
        raise NotMigrated("K2T404", "use_ema beside constraints, which hold after the average")
    if lines and not all(use.kind == "train_on_batch" for use in uses if use.kind in TRAINED):
        changed = next((use for use in uses if use.kind == "trainable"), None)
        if changed is not None:
            raise NotMigrated(CODE, "constraints in a model that is frozen in part", changed.call)
    return tuple(replace(line, text=own_names(line.text, params)) for line in lines)


def constraint_lines(made: Sequence[Made]) -> tuple[Line, ...]:
    """What is done after each step, under ``no_grad``.

    Raises:
        NotMigrated: such a module is one of several that a loop makes, and not all are alike.
    """
    lines: list[Line] = []
    done: set[str] = set()
    for path, op, layer in made:
        texts = [text.replace("{p}", f"{{m}}.{torch}") for torch, text in op.constraints]
        if texts and op.frozen:
            raise NotMigrated(CODE, "a constraint of a layer that does not train", layer.span)
        if texts and ":" in path and not path.endswith("[?]"):
            lines += in_every(path, texts)
        elif texts and path.endswith("[?]"):
            kind = torch_class(op)
            alike = {one.constraints for _, one, _ in made if torch_class(one) == kind}
            if len(alike) > 1:
                raise NotMigrated(CODE, "a constraint of some layers of a loop", layer.span)
            if kind not in done:
                lines += in_every(f"{kind}:", texts)
            done.add(kind)
        else:
            lines += [Line(text.replace("{m}", path)) for text in texts]
    return tuple(lines)
