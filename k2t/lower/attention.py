"""Attention over sequences.

MultiHeadAttention is an emitted module, because torch's has no size of its own for its heads.
"""

from __future__ import annotations

import ast

from k2t.ir.finding import NotMigrated
from k2t.ir.source import Span
from k2t.ir.values import Obj, Shape
from k2t.lower import text as t
from k2t.lower.masks import HEADS, is_told
from k2t.lower.ops import Context, Op, ParamInit
from k2t.lower.shaping import in_product
from k2t.table import Row

ATTENTION = (*HEADS, "Attention", "AdditiveAttention")
"""Rows of layers that are called with a tensor for the queries and others for the rest."""

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
    sizes = row.data["sizes"]
    given = [width, *(t.text(t.get(layer.args, name)) for name in sizes)]
    defaults = {"dropout": 0.0, "use_bias": True}
    for keras, ours in KEYWORDS:
        value = t.get(layer.args, keras)
        if keras == "value_features" and keras in layer.args and t.is_none(value):
            raise NotMigrated("K2T106", f"{row.name} of a width that is not known", layer.span)
        if t.is_none(value) or t.same_value(value, defaults.get(keras, ...)):
            continue
        given.append(f"{ours}={t.text(value)}")
    told = {name for name in ("attention_mask", "scores") if name in layer.args}
    name = row.name
    if told or is_told(layer):
        if row.name != "MultiHeadAttention":
            why = f"{row.name} with a mask or scores is not carried over"
            raise NotMigrated("K2T144", why, layer.span)
        name = f"Masked{name}"
        fused = t.same_value(t.get(layer.args, "dropout"), 0.0) and "scores" not in told
        if ctx.dialect == "keras3" and not fused and (is_told(layer) or "attention_mask" in told):
            given.append("zero_empty=True")
    if "attention_mask" in told and is_told(layer):
        raise NotMigrated("K2T114", f"{row.name} of masked tensors and another mask", layer.span)
    ctx.helpers[name] = None
    statement = "{p}()"
    if ctx.dialect != "keras3":  # Keras 3.15 knows which axes go in and which come out
        ctx.helpers["glorot_by_heads_"] = None
        statement = "glorot_by_heads_({m})"
    start = ParamInit("reset_parameters", statement, "Keras's fans for", "attention")
    more = ", use_causal_mask=True" if t.flag(layer.args, "causal") else ""
    more += ", return_attention_scores=True" if "scores" in told else ""
    more += ", attention_mask={mask}" if is_told(layer) else ""
    call = f"{{m}}({{x}}{more})"
    module = f"{name}({', '.join(given)})"
    return [
        Op(module=module, call=call, layout="last", out="last", stem="attention", params=(start,))
    ]


def single(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """Attention of one head: an expression, unless it has a weight.

    Raises:
        NotMigrated: scores that are no products; sizes that are not known.
    """
    if row.get("products") and t.data(t.get(layer.args, "score_mode")) != "dot":
        raise NotMigrated("K2T106", f"{row.name}(score_mode=...) is not carried over", layer.span)
    dropout = t.text(t.get(layer.args, "dropout"))
    causal = t.flag(layer.args, "causal")
    scaled = t.flag(layer.args, "use_scale")
    if row.get("products") and not scaled:
        options = [
            *(
                []
                if dropout in ("0", "0.0")
                else [f"dropout_p={in_product(dropout)} * self.training"]
            ),
            *(["is_causal=True"] if causal else []),
            "scale=1.0",
        ]
        call = f"F.scaled_dot_product_attention({{x}}, {', '.join(options)})"
        return [Op(call=call, layout="last", out="last")]
    given = [] if row.get("products") else [width if scaled else "None"]
    if None in given:
        raise NotMigrated("K2T106", f"{row.name} of a width that is not known", layer.span)
    given += [] if dropout in ("0", "0.0") else [f"dropout={dropout}"]
    ctx.helpers[row.name] = None
    call = "{m}({x}, use_causal_mask=True)" if causal else "{m}({x})"
    module = f"{row.name}({', '.join(str(g) for g in given)})"
    return [Op(module=module, call=call, layout="last", out="last", stem="attention")]


def in_order(text: str, span: Span) -> list[str]:
    """Query, key and value from the list ``[query, value, key]`` that a layer is called with.

    Raises:
        NotMigrated: the list is not written there.
    """
    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.List | ast.Tuple) or not 2 <= len(tree.elts) <= 3:
        raise NotMigrated("K2T106", "attention to a list of tensors made elsewhere", span)
    parts = [ast.get_source_segment(text, part) or "" for part in tree.elts]
    return [parts[0], parts[-1], parts[1]]
