"""MultiHeadAttention: an emitted module, because torch's has no size of its own for its heads."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Obj, Shape
from k2t.lower import text as t
from k2t.lower.ops import Context, Op, ParamInit
from k2t.table import Row

KEYWORDS = (
    ("value_dim", "value_dim"),
    ("value_features", "value_features"),
    ("output_shape", "output_features"),
    ("dropout", "dropout"),
    ("use_bias", "bias"),
)


def attention(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    if width is None:
        raise NotMigrated("K2T106", f"{row.name} of a width that is not known", layer.span)
    given = [width, *(t.text(t.get(layer.args, name)) for name in ("num_heads", "key_dim"))]
    defaults = {"dropout": 0.0, "use_bias": True}
    for keras, ours in KEYWORDS:
        value = t.get(layer.args, keras)
        if keras == "value_features" and keras in layer.args and t.is_none(value):
            raise NotMigrated("K2T106", f"{row.name} of a width that is not known", layer.span)
        if t.is_none(value) or t.same_value(value, defaults.get(keras, ...)):
            continue
        given.append(f"{ours}={t.text(value)}")
    ctx.helpers[row.name] = None
    start = ParamInit("reset_parameters", "{p}()", "Keras's fans for", "attention")
    call = "{m}({x}, use_causal_mask=True)" if t.flag(layer.args, "causal") else "{m}({x})"
    module = f"{row.name}({', '.join(given)})"
    return [
        Op(module=module, call=call, layout="last", out="last", stem="attention", params=(start,))
    ]
