"""Attention over sequences.

MultiHeadAttention is an emitted module, because torch's has no size of its own for its heads.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from k2t.ir.finding import NotMigrated
from k2t.ir.nodes import Node
from k2t.ir.source import Span
from k2t.ir.values import Obj, Shape
from k2t.lower import text as t
from k2t.lower.masks import HEADS, SINGLE, is_told, said
from k2t.lower.ops import Context, Op, ParamInit
from k2t.lower.shaping import in_product
from k2t.table import Row

ATTENTION = (*HEADS, *SINGLE)
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
    if "axes" in layer.args:
        name = f"{name}OverAxes"
        given.append(f"axes={t.text(t.get(layer.args, 'axes'))}")
    if told or is_told(layer):
        if "axes" in layer.args:
            raise NotMigrated("K2T114", f"a mask in {row.name} over several axes", layer.span)
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
    """Attention of one head: an expression, unless it has a weight or is asked for more.

    Raises:
        NotMigrated: scores of no kind that Keras has; sizes that are not known.
    """
    products = bool(row.get("products"))
    mode = t.data(t.get(layer.args, "score_mode")) if products else "dot"
    if mode not in ("dot", "concat"):
        raise NotMigrated("K2T106", f"{row.name}(score_mode=...) is not carried over", layer.span)
    dropout = t.text(t.get(layer.args, "dropout"))
    causal, scaled = t.flag(layer.args, "causal"), t.flag(layer.args, "use_scale")
    masks = str(t.data(t.get(layer.args, "masked"))).split() if is_told(layer) else []
    full = mode == "concat" or "masks" in layer.args or "scores" in layer.args
    full = full or (masks != [] if scaled or causal or not products else "query_mask" in masks)
    if products and not scaled and not full:
        return [product(dropout, causal, masks)]
    given = [] if products else [width if scaled else "None"]
    if None in given:
        raise NotMigrated("K2T106", f"{row.name} of a width that is not known", layer.span)
    given += [] if dropout in ("0", "0.0") else [f"dropout={dropout}"]
    given += ["scaled=False"] if products and not scaled else []
    given += ["concat=True"] if mode == "concat" else []
    ctx.helpers[f"{row.name}Full" if full else row.name] = None
    told = ["{x}", *(f"{name}={{{name}}}" for name in masks)]
    told += ["use_causal_mask=True"] if causal else []
    told += ["return_attention_scores=True"] if "scores" in layer.args else []
    module = f"{row.name}({', '.join(str(g) for g in given)})"
    call = f"{{m}}({', '.join(told)})"
    return [Op(module=module, call=call, layout="last", out="last", stem="attention")]


def product(dropout: str, causal: bool, masks: Sequence[str]) -> Op:
    """Attention without a weight, by torch's kernel."""
    drops = [f"dropout_p={in_product(dropout)} * self.training"]
    options = [] if dropout in ("0", "0.0") else drops
    options += ["is_causal=True"] if causal else []
    why = "Keras hides steps behind -1e9, not infinity" if masks else ""
    options += ["attn_mask={value_mask}.unsqueeze(1) * 1e9 - 1e9"] if masks else []
    call = f"F.scaled_dot_product_attention({{x}}, {', '.join([*options, 'scale=1.0'])})"
    return Op(call=call, layout="last", out="last", comment=why)


def named_masks(node: Node, texts: Sequence[str]) -> list[str]:
    """What a layer of a graph is called with: the tensors, and the masks by their names."""
    assert node.layer is not None
    names = ["attention_mask"] if "attention_mask" in node.layer.args else said(node)
    plain = len(texts) - len(names)
    named = [f"{name}={text}" for name, text in zip(names, texts[plain:], strict=True)]
    return [*texts[:plain], *named]


def in_class(layer: Obj, given: Sequence[tuple[str | None, str]], span: Span) -> str:
    """What a layer of one head is called with in a class of the script.

    Raises:
        NotMigrated: the tensors or masks are not written in the call.
    """
    by_name = {key or ("inputs", "mask")[i]: text for i, (key, text) in enumerate(given[:2])}
    by_name |= {key: text for key, text in given if key is not None}
    texts = in_order(by_name["inputs"], span)
    if "masks" in layer.args:
        masks = elements(by_name["mask"])
        if len(masks) < 2:
            raise NotMigrated("K2T106", "masks in a list that is made elsewhere", span)
        pairs = zip(("query_mask", "value_mask"), masks, strict=False)
        texts += [f"{name}={text}" for name, text in pairs if text != "None"]
    return ", ".join(texts)


def in_order(text: str, span: Span) -> list[str]:
    """Query, key and value from the list ``[query, value, key]`` that a layer is called with.

    Raises:
        NotMigrated: the list is not written there.
    """
    parts = elements(text)
    if not 2 <= len(parts) <= 3:
        raise NotMigrated("K2T106", "attention to a list of tensors made elsewhere", span)
    return [parts[0], parts[-1], parts[1]]


def elements(text: str) -> list[str]:
    """The elements of a list or tuple that is written out; none of anything else."""
    tree = ast.parse(text.strip(), mode="eval").body
    parts = tree.elts if isinstance(tree, ast.List | ast.Tuple) else []
    return [ast.get_source_segment(text.strip(), part) or "" for part in parts]
