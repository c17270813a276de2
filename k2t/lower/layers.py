"""Layers to torch: rows first, a function where a row is not enough."""

from __future__ import annotations

from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Const, Obj, Shape, Sym, as_int
from k2t.lower import text as t
from k2t.lower.activations import activation, activation_layer, prelu, relu, softmax
from k2t.lower.applications import network, preprocess
from k2t.lower.attention import attention, single
from k2t.lower.augmentation import (
    augmentation,
    category_encoding,
    center_crop,
    color_jitter,
    discretization,
    normalization,
    random_crop,
    resizing,
)
from k2t.lower.constraints import constraints
from k2t.lower.convolutions import conv, conv_transpose, cropping, pool, upsample, zero_padding
from k2t.lower.einsum import einsum_dense
from k2t.lower.norms import batch_norm, group_norm, layer_norm, rms_norm, unit_norm
from k2t.lower.ops import GENERAL, Context, Lowering, Op, fill, stem, used, with_options
from k2t.lower.own import custom
from k2t.lower.parameters import activity, activity_layer, param_inits, penalties
from k2t.lower.parts import given, part
from k2t.lower.recurrent import WRAPPER, bidirectional, conv_lstm, own_cell, rnn
from k2t.lower.separable import depthwise, separable
from k2t.lower.shaping import (
    each_step,
    folded,
    global_pool,
    masking,
    merge,
    permute,
    rescaling,
    reshape,
)
from k2t.table import Row


def lower(ctx: Context, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """The torch operations of a layer.

    Args:
        shape: input shape without the batch axis, if known.
        width: the text for the last axis of the input (None: not known, a lazy module is used).

    Raises:
        NotMigrated: an argument has a value that cannot be carried.
    """
    row = ctx.row(layer)
    steps = as_int(t.get(layer.args, "time_distributed")) or 0
    if steps and not t.is_none(t.get(layer.args, "activity_regularizer")):
        raise NotMigrated("K2T300", "activity_regularizer inside TimeDistributed", layer.span)
    if steps and t.flag(layer.args, "stateful"):
        why = f"a stateful {row.name} inside TimeDistributed: it goes on from step to step, too"
        raise NotMigrated("K2T190", why, layer.span)
    if steps:
        inside = shape[steps:] if shape is not None else None
        ops = lower(ctx, each_step(ctx, layer), inside, width)
        return folded(row, ops, shape[:steps] if shape is not None else (None,) * steps)
    if "@kept" in layer.args:
        return [given(layer)]
    check_carried(row, layer)
    ctx.changed(row, layer.args)
    inner = t.get(layer.args, "layer")
    if row.get("shape") == "bidirectional" and isinstance(inner, Obj):
        return both_ways(ctx, row, layer, inner, shape, width)
    if "training" in layer.args and (told := in_phase(row, layer)) is not None:
        return told
    if (matrix := pretrained(layer)) is not None:
        return [looked_up(row, layer, matrix)]
    if row.get("helper"):
        ctx.helpers[str(row.data["helper"])] = None
    name = row.get("lower")
    ops = CODE[name](ctx, row, layer, shape, width) if name else [from_row(row, layer, width)]
    main = next((i for i, op in enumerate(ops) if op.widens), 0)
    prefix = "rnn." if WRAPPER.match(ops[main].module or "") else ""
    held = penalties(ctx, row, layer), constraints(ctx, row, layer)
    own = [tuple((prefix + name, text) for name, text in pairs) for pairs in held]
    ops[main] = replace(
        ops[main],
        params=ops[main].params or param_inits(ctx, row, layer),
        penalties=own[0] or ops[main].penalties,
        constraints=own[1] or ops[main].constraints,
        rank=row.get("rank"),
    )
    if row.name == "BatchNormalization" and "training" in layer.args:
        ops[main] = replace(ops[main], module=f"{ops[main].module}.eval()")  # Lightning keeps that
    if t.data(t.get(layer.args, "trainable")) is False:
        ops[main] = frozen(ctx, ops[main], layer)
    if "activation" in layer.args and name not in ("rnn", "conv_lstm", "activation_layer"):
        ops.extend(activation(ctx, layer.args["activation"].value))
    if not t.is_none(watched := t.get(layer.args, "activity_regularizer")):
        ops.append(activity(ctx, watched, layer))
    return ops


PHASES = {
    "Dropout": "F.dropout({x}, {rate})",
    "SpatialDropout1D": "F.dropout1d({x}, {rate})",
    "SpatialDropout2D": "F.dropout2d({x}, {rate})",
    "SpatialDropout3D": "F.dropout3d({x}, {rate})",
    "AlphaDropout": "F.alpha_dropout({x}, {rate}, training=True)",
}
"""What drops in every phase."""


def both_ways(
    ctx: Context, row: Row, layer: Obj, inner: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """A Bidirectional: what holds for the weights of the layer inside holds in both directions.

    Raises:
        NotMigrated: an argument of the layer inside is not carried over.
    """
    inside = ctx.row(inner)
    check_carried(inside, inner)
    ctx.changed(inside, inner.args)
    watched = [t.get(one.args, "activity_regularizer") for one in (layer, inner)]
    if not all(t.is_none(value) for value in watched):
        raise NotMigrated("K2T300", "activity_regularizer around or in a Bidirectional", layer.span)
    if any(t.data(t.get(one.args, "trainable")) is False for one in (layer, inner)):
        why = "trainable=False of a Bidirectional is not carried over"
        raise NotMigrated("K2T100", why, layer.span)
    ops = bidirectional(ctx, row, layer, shape, width)
    held = penalties(ctx, inside, inner), constraints(ctx, inside, inner)
    main = next(i for i, op in enumerate(ops) if op.widens)
    ways = (
        ("ahead.{}", "back.{}") if WRAPPER.match(ops[main].module or "") else ("{}", "{}_reverse")
    )
    both = [tuple((way.format(n), text) for n, text in h for way in ways) for h in held]
    ops[main] = replace(ops[main], penalties=both[0], constraints=both[1], rank=row.get("rank"))
    return ops


def in_phase(row: Row, layer: Obj) -> list[Op] | None:
    """A layer that is called with ``training=True`` or ``training=False``; None: as any other.

    Raises:
        NotMigrated: it does something else in training, and is told to do that.
    """
    trains = t.flag(layer.args, "training")
    drops = [n for n in ("dropout", "recurrent_dropout") if n in layer.args]
    if row.name in PHASES and trains:
        call = fill(PHASES[row.name], {"rate": t.text(t.get(layer.args, "rate"))})
        layout = str(row.get("layout", "any"))
        return [Op(call=call, layout=layout, comment="in every phase")]
    if row.name in PHASES or row.name in ("GaussianNoise", "GaussianDropout"):
        if trains:
            raise NotMigrated("K2T164", f"{row.name} called with training=True", layer.span)
        return [Op(call="{x}")]
    active = any(not t.same_value(t.get(layer.args, name), 0.0) for name in drops)
    normalises = row.name == "BatchNormalization" and trains
    if active or normalises or row.name.startswith("Random"):
        raise NotMigrated("K2T164", f"{row.name} called with training={trains}", layer.span)
    return None


def check_carried(row: Row, layer: Obj) -> None:
    """Every argument given must be one that is carried, or have its default value."""
    template = " ".join(str(row.get(k, "")) for k in ("torch", "call", "lazy"))
    carried = {
        *GENERAL,
        "activity_regularizer",
        *row.get("carries", ()),
        *row.get("options", {}),
        *row.get("ignores", ()),
    }
    carried |= {p.name for p in row.params if "{" + p.name + "}" in template}
    carried |= {
        f"{v}_{kind}"
        for v in row.get("weights", {}).values()
        for kind in ("initializer", "regularizer", "constraint")
    }
    if row.get("shape") != "merge":
        carried.add("activation")
    for name, arg in layer.args.items():
        if arg.span is None or name in carried or name.startswith("@") or t.is_none(arg.value):
            continue
        if (name, t.data(arg.value)) in (("dtype", "float32"), ("data_format", "channels_last")):
            continue
        if name == "trainable" and isinstance(t.data(arg.value), bool):
            continue
        default = next((p.default for p in row.params if p.name == name), ...)
        if default is not ... and t.same_value(arg.value, default):
            continue
        raise NotMigrated("K2T100", f"{row.name}({name}=...) is not carried over", arg.span)


def frozen(ctx: Context, op: Op, layer: Obj) -> Op:
    """``trainable=False``: the module starts without gradients."""
    if layer.row == "BatchNormalization" or "weights" not in ctx.row(layer).data:
        why = f"{layer.row}(trainable=False) is not carried over"
        raise NotMigrated("K2T100", why, layer.args["trainable"].span)
    if op.penalties and ctx.dialect == "keras3":
        why = f"{layer.row} is frozen: Keras 3 leaves its penalty out of the loss"
        raise NotMigrated("K2T721", why, layer.args["trainable"].span)
    return replace(op, frozen=("",))


def pretrained(layer: Obj) -> str | None:
    """The array that an Embedding starts from: ``weights=[matrix]`` or ``Constant(matrix)``."""
    if layer.row != "Embedding":
        return None
    given = layer.args.get("weights")
    start = t.get(layer.args, "embeddings_initializer")
    if given is not None and given.span is not None and given.value != Const(None):
        found, where, what = given.value, given.span, "weights=..."
    elif isinstance(start, Obj) and start.row == "Constant":
        found, where, what = t.get(start.args, "value"), layer.span, "Constant(...)"
    else:
        return None
    if isinstance(found, Sym) and found.type == "array":
        return t.text(found)
    if what == "Constant(...)" and isinstance(t.data(found), int | float):
        return None
    # never left out in silence: the layer would start from other numbers
    raise NotMigrated("K2T100", f"Embedding({what}): what it starts from is not known", where)


def looked_up(row: Row, layer: Obj, matrix: str) -> Op:
    """An Embedding made from an array."""
    fixed = t.data(t.get(layer.args, "trainable")) is False if "trainable" in layer.args else False
    # a copy: as_tensor would train the script's own array, and the next model would start from it
    array = f"torch.tensor({matrix}, dtype=torch.float32)"
    module = f"nn.Embedding.from_pretrained({array}{'' if fixed else ', freeze=False'})"
    return Op(module=module, layout="any", out="last", stem=stem(row.name), widens=True)


def from_row(row: Row, layer: Obj, width: str | None) -> Op:
    """A layer whose row says it all."""
    values = {p.name: t.text(t.get(layer.args, p.name)) for p in row.params if used(row, p.name)}
    call, first = row.get("call"), row.get("first")
    if call is not None and (row.get("prefer_call") or row.get("torch") is None):
        return Op(
            call=fill(call, values),
            first=fill(first, values) if first else None,
            layout=row.get("layout", "any"),
            out=row.get("out_layout"),
            stem=stem(row.name),
        )
    lazy = width is None and row.get("lazy") is not None
    template = row.data["lazy"] if lazy else row.data["torch"]
    values["width"] = width or ""
    return Op(
        module=with_options(fill(template, values), row, layer),
        layout=row.get("layout", "any"),
        out=row.get("out_layout"),
        stem=stem(row.name),
        lazy=lazy,
        widens="{width}" in row.data["torch"],
    )


CODE: dict[str, Lowering] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "pool": pool,
    "reshape": reshape,
    "permute": permute,
    "global_pool": global_pool,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "activation_layer": activation_layer,
    "relu": relu,
    "prelu": prelu,
    "softmax": softmax,
    "zero_padding": zero_padding,
    "cropping": cropping,
    "depthwise": depthwise,
    "separable": separable,
    "group_norm": group_norm,
    "rms_norm": rms_norm,
    "unit_norm": unit_norm,
    "rescaling": rescaling,
    "augmentation": augmentation,
    "color_jitter": color_jitter,
    "random_crop": random_crop,
    "resizing": resizing,
    "center_crop": center_crop,
    "category_encoding": category_encoding,
    "normalization": normalization,
    "discretization": discretization,
    "einsum_dense": einsum_dense,
    "activity_layer": activity_layer,
    "masking": masking,
    "attention": attention,
    "single_attention": single,
    "upsample": upsample,
    "merge": merge,
    "concat": merge,
    "rnn": rnn,
    "conv_lstm": conv_lstm,
    "own_cell": own_cell,
    "dot": merge,
    "bidirectional": bidirectional,
    "part": part,
    "custom": custom,
    "network": network,
    "preprocess": preprocess,
}
