"""EinsumDense: a Linear over the last axes, flattened before and taken apart behind it."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Obj, Shape, Tuple, Value
from k2t.lower import text as t
from k2t.lower.ops import Context, Op, dim_text
from k2t.table import Row


def einsum_dense(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """``abc,cde->abde`` is ``nn.Linear(c, d * e)``; ``abde,dec->abc`` one from ``d * e``.

    Raises:
        NotMigrated: the equation is no product over the last axes of the input, or the bias has
            not the axes that are new.
    """
    taken, made = axes(layer)
    dims = sizes_of(layer, len(made))
    before = [dim_text(d) for d in shape[-len(taken) :]] if shape is not None else [None]
    if None in before:
        raise NotMigrated("K2T119", "EinsumDense of an input whose width is not known", layer.span)
    within = " * ".join(text for text in before if text)
    if ctx.dialect != "keras3" and len(taken + made) > 2:
        why = "EinsumDense of tf.keras, whose kernels start by other fans where they have heads"
        raise NotMigrated("K2T200", why, layer.span)
    bias = t.string(layer.args, "bias_axes")
    if bias is not None and set(bias) != set(made):
        why = f"EinsumDense(bias_axes={bias!r}), which are not the axes that are new"
        raise NotMigrated("K2T100", why, layer.span)
    ending = ")" if bias is not None else ", bias=False)"
    module = f"nn.Linear({within}, {' * '.join(dims)}{ending}"
    linear = Op(module=module, layout="last", stem="dense", widens=True)
    flat = Op(call=f"{{x}}.flatten(-{len(taken)})", layout="last", out="last", stem="flatten")
    apart = Op(
        call=f"{{x}}.unflatten(-1, ({', '.join(dims)}))", layout="last", out="last", stem="apart"
    )
    return [*([flat] if len(taken) > 1 else []), linear, *([apart] if len(made) > 1 else [])]


def axes(layer: Obj) -> tuple[str, str]:
    """The letters of the axes that are summed over, and of those that are new.

    Raises:
        NotMigrated: they are not the last ones, in the kernel's order.
    """
    equation = (t.string(layer.args, "equation") or "").replace(" ", "")
    given, _, result = equation.partition("->")
    inputs, _, kernel = given.partition(",")
    taken = "".join(letter for letter in kernel if letter in inputs)
    made = kernel.removeprefix(taken)
    kept = inputs.removesuffix(taken)
    if not taken or not made or kept + taken != inputs or kept + made != result:
        why = f"EinsumDense({equation!r}) is no product over the last axes: torch.einsum says it"
        raise NotMigrated("K2T100", why, layer.span)
    return taken, made


def sizes_of(layer: Obj, count: int) -> list[str]:
    """The sizes of the axes that are new, as they are written."""
    given = t.get(layer.args, "output_shape")
    items: tuple[Value, ...] = given.items if isinstance(given, Tuple) else (given,)
    if len(items) < count or any(t.is_none(item) for item in items[-count:]):
        raise NotMigrated("K2T100", "EinsumDense whose new axes have no size", layer.span)
    return [t.text(item) for item in items[-count:]]
