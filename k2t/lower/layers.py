"""Layers to torch: rows first, a function where a row is not enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from k2t.ir.finding import NotMigrated
from k2t.ir.source import Source, Span
from k2t.ir.values import Arg, Const, Dim, Obj, Ref, Shape, Tuple, Value, as_int
from k2t.lower import text as t
from k2t.table import Row, Table

GENERAL = {
    "name",
    "input_shape",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
    "batch_size",
}
"""Arguments whose meaning the analysis has used up."""


@dataclass(frozen=True)
class ParamInit:
    """How a parameter starts: its torch name, and the text that fills ``{p}``."""

    torch: str
    init: str
    words: str
    keras: str


@dataclass(frozen=True)
class Op:
    """One torch operation of a lowered layer.

    ``module`` is a constructor; ``call`` an expression of the input ``{x}`` (and of the module,
    ``{m}``, where both are given); ``first`` the same for channels-first data. ``layout`` is what
    the input must be, ``out`` what comes out (None: as it went in).
    """

    module: str | None = None
    call: str | None = None
    first: str | None = None
    lines: tuple[str, ...] = ()
    layout: str = "any"
    out: str | None = None
    stem: str = ""
    comment: str = ""
    activation: str | None = None
    params: tuple[ParamInit, ...] = ()
    penalties: tuple[tuple[str, str], ...] = ()
    lazy: bool = False
    widens: bool = False
    rank: int | None = None
    mask: bool = False
    frozen: tuple[str, ...] = ()


@dataclass
class Context:
    """What lowering a layer may ask for, and what it notes on the way."""

    table: Table
    dialect: str
    fidelity: str
    helpers: dict[str, None] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    batch_size: int | None = None
    source: Source | None = None

    def source_text(self, span: Span) -> str:
        assert self.source is not None
        return self.source.slice(span)

    def row(self, layer: Obj) -> Row:
        return self.table.rows["layers"][layer.row]

    def note(self, code: str, severity: str, message: str) -> None:
        if (code, severity, message) not in self.notes:
            self.notes.append((code, severity, message))


Lowering = Callable[[Context, Row, Obj, Shape | None, str | None], list[Op]]


def lower(ctx: Context, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """The torch operations of a layer.

    Args:
        shape: input shape without the batch axis, if known.
        width: the text for the last axis of the input (None: not known, a lazy module is used).

    Raises:
        NotMigrated: an argument has a value that cannot be carried.
    """
    row = ctx.row(layer)
    check_carried(row, layer)
    name = row.get("lower")
    ops = CODE[name](ctx, row, layer, shape, width) if name else [from_row(row, layer, width)]
    main = next((i for i, op in enumerate(ops) if op.widens), 0)
    ops[main] = replace(
        ops[main],
        params=param_inits(ctx, row, layer),
        penalties=penalties(ctx, row, layer),
        rank=row.get("rank"),
    )
    if "activation" in layer.args and name not in ("rnn", "activation_layer"):
        ops.extend(activation(ctx, layer.args["activation"].value))
    return ops


def check_carried(row: Row, layer: Obj) -> None:
    """Every argument given must be one that is carried, or have its default value."""
    template = " ".join(str(row.get(k, "")) for k in ("torch", "call", "lazy"))
    carried = {*GENERAL, *row.get("carries", ()), *row.get("options", {}), *row.get("ignores", ())}
    carried |= {p.name for p in row.params if "{" + p.name + "}" in template}
    carried |= {
        f"{v}_{kind}"
        for v in row.get("weights", {}).values()
        for kind in ("initializer", "regularizer")
    }
    if row.get("shape") != "merge":
        carried.add("activation")
    for name, arg in layer.args.items():
        if arg.span is None or name in carried or t.is_none(arg.value):
            continue
        if name == "dtype" and t.data(arg.value) == "float32":
            continue
        if name == "trainable" and t.data(arg.value) is True:
            continue
        default = next((p.default for p in row.params if p.name == name), ...)
        if default is not ... and t.same_value(arg.value, default):
            continue
        raise NotMigrated("K2T100", f"{row.name}({name}=...) is not carried over", arg.span)


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


def used(row: Row, name: str) -> bool:
    return any("{" + name + "}" in str(row.get(k, "")) for k in ("torch", "call", "first", "lazy"))


def fill(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def with_options(module: str, row: Row, layer: Obj) -> str:
    """Add the keyword arguments whose values differ from torch's defaults."""
    extra = []
    for keras, torch in row.get("options", {}).items():
        value = t.get(layer.args, keras)
        if not t.same_value(value, row.get("torch_defaults", {}).get(keras)):
            extra.append(f"{torch}={t.text(value)}")
    if not extra:
        return module
    return add_arguments(module, *extra)


def add_arguments(module: str, *extra: str) -> str:
    inner = module[:-1]
    separator = "" if inner.endswith("(") else ", "
    return f"{inner}{separator}{', '.join(extra)})"


def stem(name: str) -> str:
    """An attribute name for a layer class: Conv2D -> conv, LSTM -> lstm."""
    special = {
        "BatchNormalization": "norm",
        "LayerNormalization": "norm",
        "Bidirectional": "rnn",
        "SimpleRNN": "rnn",
    }
    if name in special:
        return special[name]
    base = name.rstrip("123D") if name.endswith("D") else name
    return base.lower() if base.isupper() else snake(base)


def snake(name: str) -> str:
    out = ""
    for i, char in enumerate(name):
        if char.isupper() and i and not name[i - 1].isupper():
            out += "_"
        out += char.lower()
    return out


# ---------------------------------------------------------------------- parameters


def param_inits(ctx: Context, row: Row, layer: Obj) -> tuple[ParamInit, ...]:
    found = []
    for torch, keras in row.get("weights", {}).items():
        value = t.get(layer.args, f"{keras}_initializer")
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
        raise NotMigrated("K2T200", "the initializer is not known")
    statement = fill_row(row, args)
    for helper in ("glorot_normal_", "he_normal_", "lecun_normal_"):
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
        found.append((torch, regularizer(ctx, value)))
    return tuple(found)


def regularizer(ctx: Context, value: Value) -> str:
    args: Mapping[str, Arg] = {}
    row = None
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string("regularizers", value.value)
    elif isinstance(value, Obj):
        row, args = ctx.table.rows["regularizers"].get(value.row), value.args
    if row is None:
        raise NotMigrated("K2T300", "the regularizer is not known")
    if row.name == "L1L2":
        parts = []
        for name, shape in (("l1", "abs"), ("l2", "square")):
            factor = value_or_default(row, args, name)
            if not t.same_value(factor, 0.0):
                parts.append(f"{t.text(factor)} * {{p}}.{shape}().sum()")
        return " + ".join(parts)
    values = {p.name: t.text(value_or_default(row, args, p.name)) for p in row.params}
    return fill(row.data["penalty"], values)


# ---------------------------------------------------------------------- activations


def activation_row(ctx: Context, value: Value) -> Row | None:
    """The row of an activation given as string, function or None (linear)."""
    if t.is_none(value):
        return None
    if isinstance(value, Const) and isinstance(value.value, str):
        row = ctx.table.string("activations", value.value)
    elif isinstance(value, Ref):
        row = ctx.table.find(value.path)
    else:
        row = None
    if row is None or row.section != "activations":
        raise NotMigrated("K2T101", "the activation is not known")
    return None if row.name == "linear" else row


def activation(ctx: Context, value: Value, axis: int = -1) -> list[Op]:
    row = activation_row(ctx, value)
    if row is None:
        return []
    if isinstance(value, Const) and value.expr is not None and value.expr.text.isidentifier():
        return [from_table(ctx, row, value)]
    module = str(row.for_dialect(ctx.dialect, "module", ""))
    call = str(row.for_dialect(ctx.dialect, "call"))
    first = None
    if row.get("axis"):
        module = f"{module}({axis})"
        call = call.replace("-1", str(axis))
        first = call.replace(str(axis), "1")
    elif module and not module.endswith(")"):
        module += "()"
    return [
        Op(
            module=module or None,
            call=call,
            first=first,
            activation=row.name,
            stem=row.name,
            layout="last" if row.get("axis") else "any",
        )
    ]


def from_table(ctx: Context, row: Row, value: Const) -> Op:
    """An activation named by a variable: looked up among the ones the script uses."""
    module = str(row.for_dialect(ctx.dialect, "module", "")) or "nn.Identity"
    ctx.tables.setdefault("ACTIVATIONS", {})[str(value.value)] = module
    assert value.expr is not None
    return Op(module=f"ACTIVATIONS[{value.expr.text}]()", stem="activation", layout="any")


def activation_layer(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    ops = activation(ctx, t.get(layer.args, "activation"))
    return ops or [Op(module="nn.Identity()", call="{x}", stem="identity")]


def softmax(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    axis = as_int(t.get(layer.args, "axis"))
    if axis is None:
        raise NotMigrated("K2T102", "Softmax over several axes is not carried over")
    if shape is not None and axis == len(shape):
        axis = -1
    ops = activation(ctx, Const("softmax"), axis)
    if axis != -1:
        return [replace(ops[0], activation=None)]
    return ops


def relu(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    slope, threshold = t.get(layer.args, "negative_slope"), t.get(layer.args, "threshold")
    top = t.get(layer.args, "max_value")
    if not t.same_value(threshold, 0.0):
        raise NotMigrated("K2T103", "ReLU(threshold=...) is not carried over")
    if t.is_none(top):
        if t.same_value(slope, 0.0):
            return activation(ctx, Const("relu"))
        return [Op(module=f"nn.LeakyReLU({t.text(slope)})", stem="relu")]
    if not t.same_value(slope, 0.0):
        raise NotMigrated("K2T103", "ReLU with max_value and negative_slope is not carried over")
    if t.same_value(top, 6):
        return activation(ctx, Const("relu6"))
    return [Op(call=f"F.relu({{x}}).clamp_max({t.text(top)})", stem="relu")]


def prelu(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    """One slope a channel; per position (no shared_axes on maps) torch has no module."""
    axes = t.data(t.get(layer.args, "shared_axes"))
    rank = len(shape) if shape is not None else None
    if rank is None or (
        rank > 1 and (not isinstance(axes, tuple) or sorted(axes) != list(range(1, rank)))
    ):
        raise NotMigrated(
            "K2T104",
            "PReLU is carried over with one slope per channel only "
            "(shared_axes over all positions)",
        )
    if width is None:
        raise NotMigrated("K2T104", "PReLU needs a known number of channels")
    return [
        Op(
            module=f"nn.PReLU({width})",
            layout="first" if rank > 1 else "any",
            stem="prelu",
            widens=True,
        )
    ]


# ---------------------------------------------------------------------- convolution and pooling


def sizes(shape: Shape | None, rank: int) -> tuple[int | None, ...]:
    if shape is None or len(shape) != rank + 1:
        return (None,) * rank
    return tuple(as_int(d) for d in shape[:-1])


def check_format(layer: Obj) -> None:
    value = t.get(layer.args, "data_format")
    if not t.is_none(value) and t.data(value) not in ("channels_last", "tf"):
        raise NotMigrated("K2T105", "data_format other than channels_last is not carried over")


def same_padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """What Keras's "same" adds before and after an axis of length n."""
    total = max((math.ceil(n / stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


def conv(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    check_format(layer)
    rank = int(row.data["rank"])
    padding = string_padding(layer)
    strides = t.ints(t.get(layer.args, "strides"), rank)
    name = f"Conv{rank}d"
    filters = t.text(t.get(layer.args, "filters"))
    kernel = t.text(t.get(layer.args, "kernel_size"))
    lazy = width is None
    head = (
        f"nn.Lazy{name}({filters}, {kernel})"
        if lazy
        else f"nn.{name}({width}, {filters}, {kernel})"
    )
    module = with_options(head, row, layer)
    op = Op(layout="first", stem="conv", lazy=lazy, widens=True)
    if padding == "valid":
        return [replace(op, module=module)]
    if padding == "causal":
        return [replace(op, module=helper_conv(ctx, "CausalConv1d", module, lazy))]
    if strides == (1,) * rank:
        return [replace(op, module=add_arguments(module, 'padding="same"'))]
    pads = known_padding(layer, shape, rank, strides)
    if pads is None:
        return [replace(op, module=helper_conv(ctx, f"SameConv{rank}d", module, lazy))]
    if all(before == after for before, after in pads):
        one = pads[0][0] if len(set(pads)) == 1 else tuple(p[0] for p in pads)
        return [replace(op, module=add_arguments(module, f"padding={one}") if one else module)]
    flat = ", ".join(str(p) for pair in reversed(pads) for p in pair)
    pad = "nn.ConstantPad1d" if rank == 1 else f"nn.ZeroPad{rank}d"
    text_ = f"{pad}(({flat}), 0)" if rank == 1 else f"{pad}(({flat}))"
    padded = Op(
        module=text_,
        layout="first",
        stem="pad",
        comment='Keras\'s "same" pads more on the far side',
    )
    return [padded, replace(op, module=module)]


def helper_conv(ctx: Context, name: str, module: str, lazy: bool) -> str:
    if lazy:
        raise NotMigrated("K2T106", 'padding="same" with strides needs known channels')
    ctx.helpers[name] = None
    return name + module[module.index("(") :]


def string_padding(layer: Obj) -> str:
    padding = t.string(layer.args, "padding")
    if padding not in ("valid", "same", "causal"):
        raise NotMigrated("K2T106", f"padding={padding!r} is not known")
    return padding


def known_padding(
    layer: Obj,
    shape: Shape | None,
    rank: int,
    strides: tuple[int, ...] | None,
    kernel: str = "kernel_size",
) -> list[tuple[int, int]] | None:
    kernels = t.ints(t.get(layer.args, kernel), rank)
    dilation = (
        t.ints(t.get(layer.args, "dilation_rate"), rank) if kernel == "kernel_size" else (1,) * rank
    )
    axes = sizes(shape, rank)
    if kernels is None or strides is None or dilation is None or None in axes:
        return None
    return [
        same_padding(n or 0, (k - 1) * d + 1, s)
        for n, k, s, d in zip(axes, kernels, strides, dilation, strict=True)
    ]


def pool(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    check_format(layer)
    rank, kind = int(row.data["rank"]), str(row.data["kind"])
    size, strides = t.get(layer.args, "pool_size"), t.get(layer.args, "strides")
    padding = string_padding(layer)
    kernels = t.ints(size, rank)
    steps = kernels if t.is_none(strides) else t.ints(strides, rank)
    arguments = [t.text(size)]
    if not t.is_none(strides) and steps != kernels:
        arguments.append(f"stride={t.text(strides)}")
    name = f"{kind}Pool{rank}d"
    op = Op(layout="first", stem="pool")
    if padding == "valid":
        return [replace(op, module=f"nn.{name}({', '.join(arguments)})")]
    pads = known_padding(layer, shape, rank, steps, "pool_size")
    if pads is not None and not any(sum(p) for p in pads):
        return [replace(op, module=f"nn.{name}({', '.join(arguments)})")]
    if kernels is not None and kernels == steps and set(kernels) == {2}:
        return [replace(op, module=f"nn.{name}({', '.join(arguments)}, ceil_mode=True)")]
    ctx.helpers[f"Same{name}"] = None
    return [replace(op, module=f"Same{name}({', '.join(arguments)})")]


def zero_padding(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    rank = int(row.data["rank"])
    value = t.data(t.get(layer.args, "padding"))
    if isinstance(value, int):
        pairs = [(value, value)] * rank
    elif rank == 1 and isinstance(value, tuple):
        pairs = [value if isinstance(value[0], int) else value[0]]
    elif isinstance(value, tuple):
        pairs = [(v, v) if isinstance(v, int) else v for v in value]
    else:
        raise NotMigrated("K2T107", "the amount of padding is not known")
    if rank == 1:
        module = f"nn.ConstantPad1d({pairs[0]!r}, 0)"
    elif len(set(pairs)) == 1 and pairs[0][0] == pairs[0][1]:
        module = f"nn.ZeroPad2d({pairs[0][0]})"
    else:
        module = (
            "nn.ZeroPad2d((" + ", ".join(str(p) for pair in reversed(pairs) for p in pair) + "))"
        )
    return [Op(module=module, layout="first", stem="pad")]


def upsample(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    mode = t.string(layer.args, "interpolation")
    size = t.get(layer.args, "size")
    numbers = t.ints(size, 2)
    text_ = str(numbers[0]) if numbers and len(set(numbers)) == 1 else t.text(size)
    if mode == "nearest":
        return [Op(module=f"nn.Upsample(scale_factor={text_})", layout="first", stem="upsample")]
    if mode == "bilinear":
        return [
            Op(
                module=f'nn.Upsample(scale_factor={text_}, mode="bilinear")',
                layout="first",
                stem="upsample",
            )
        ]
    raise NotMigrated("K2T108", f"UpSampling2D(interpolation={mode!r}) is not carried over")


# ---------------------------------------------------------------------- shapes


def reshape(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    target = t.get(layer.args, "target_shape")
    if not isinstance(target, Tuple):
        raise NotMigrated("K2T109", "the target shape is not known")
    dims = ", ".join(t.text(d) for d in target.items)
    rank_in = len(shape) if shape is not None else None
    if rank_in == 1 and len(target.items) > 1 and all(as_int(d) != -1 for d in target.items):
        return [
            Op(
                module=f"nn.Unflatten(1, ({dims}))",
                call=f"{{x}}.unflatten(1, ({dims}))",
                layout="last",
                out="last",
                stem="unflatten",
            )
        ]
    if len(target.items) == 1:
        return [
            Op(
                module="nn.Flatten()",
                call="{x}.flatten(1)",
                layout="last",
                out="last",
                stem="flatten",
            )
        ]
    return [
        Op(call=f"{{x}}.reshape(len({{x}}), {dims})", layout="last", out="last", stem="reshape")
    ]


def permute(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    dims = t.data(t.get(layer.args, "dims"))
    if not isinstance(dims, tuple):
        raise NotMigrated("K2T109", "the order of the axes is not known")
    order = ", ".join(str(d) for d in (0, *dims))
    return [Op(call=f"{{x}}.permute({order})", layout="last", out="last", stem="permute")]


# ---------------------------------------------------------------------- normalization


def batch_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """torch counts momentum the other way round; Keras's running variance is the biased one."""
    rank = len(shape) if shape is not None else None
    axis = as_int(t.get(layer.args, "axis"))
    if rank is None or axis not in (-1, rank):
        raise NotMigrated(
            "K2T110", "BatchNormalization is carried over for the last axis of a known rank"
        )
    if rank not in (1, 2, 3):
        raise NotMigrated("K2T110", f"BatchNormalization of {rank} axes is not carried over")
    center, scale = flag_pair(layer)
    name = "BatchNorm2d" if rank == 3 else "BatchNorm1d"
    extra = [
        f"eps={t.text(t.get(layer.args, 'epsilon'))}",
        f"momentum={inverse(t.get(layer.args, 'momentum'))}",
    ]
    if not center and not scale:
        extra.append("affine=False")
    if width is None:
        raise NotMigrated("K2T110", "BatchNormalization needs a known number of channels")
    module = f"{batch_norm_class(ctx, name, shape)}({width}, {', '.join(extra)})"
    frozen = () if center == scale else ("bias",) if scale else ("weight",)
    layout = "first" if rank > 1 else "any"
    return [Op(module=module, layout=layout, stem="norm", widens=True, frozen=frozen)]


def batch_norm_class(ctx: Context, name: str, shape: Shape | None) -> str:
    """nn.BatchNorm where its unbiased running variance is exact or within 1/500, else the helper."""
    if ctx.dialect == "keras2":
        return f"nn.{name}"
    sizes_ = [as_int(d) for d in shape[:-1]] if shape is not None else [None]
    positions = math.prod(s for s in sizes_ if s is not None) if None not in sizes_ else 0
    count = positions * (ctx.batch_size or 0)
    if ctx.fidelity == "plain" or (ctx.fidelity == "faithful" and count >= 500):
        about = f"1/{count - 1} of each variance" if count > 1 else "1/(n - 1) of each variance"
        ctx.note(
            "K2T112",
            "warning",
            f"nn.{name} keeps the unbiased running variance, Keras the biased one: {about}, "
            "in validation and prediction only",
        )
        return f"nn.{name}"
    ctx.helpers[name] = None
    return name


def flag_pair(layer: Obj) -> tuple[bool, bool]:
    return t.flag(layer.args, "center"), t.flag(layer.args, "scale")


def inverse(value: Value) -> str:
    """torch's momentum: one minus Keras's."""
    number = t.data(value)
    expr = getattr(value, "expr", None)
    if isinstance(number, int | float) and (
        expr is None or not any(c.isalpha() for c in expr.text.replace("e", ""))
    ):
        return f"{round(1 - number, 12):g}"
    return f"1 - {t.text(value)}"


def layer_norm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    axis = t.data(t.get(layer.args, "axis"))
    center, scale = flag_pair(layer)
    rank = len(shape) if shape is not None else None
    axes = (axis,) if isinstance(axis, int) else axis
    if rank is not None and isinstance(axes, tuple):
        axes = tuple(a - 1 - rank if a > 0 else a for a in axes)
    if not isinstance(axes, tuple) or sorted(axes) != list(range(-len(axes), 0)):
        raise NotMigrated("K2T113", "LayerNormalization is carried over for the last axes only")
    if len(axes) == 1:
        normalized = width
    else:
        dims = shape[-len(axes) :] if shape is not None else ()
        normalized = "(" + ", ".join(dim_text(d) or "" for d in dims) + ")"
        if any(dim_text(d) is None for d in dims):
            normalized = None
    if normalized is None:
        raise NotMigrated("K2T113", "LayerNormalization needs a known width")
    extra = [f"eps={t.text(t.get(layer.args, 'epsilon'))}"]
    if not scale:
        if center:
            raise NotMigrated("K2T113", "LayerNormalization(scale=False) alone is not carried over")
        extra.append("elementwise_affine=False")
    elif not center:
        extra.append("bias=False")
    return [
        Op(
            module=f"nn.LayerNorm({normalized}, {', '.join(extra)})",
            layout="last",
            stem="norm",
            widens=True,
        )
    ]


def dim_text(dim: Dim) -> str | None:
    if dim is None:
        return None
    if dim.expr is not None:
        return dim.expr.text
    return str(dim.value) if isinstance(dim, Const) else None


# ---------------------------------------------------------------------- merging


def merge(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    return [Op(call="", stem=stem(row.name))]


CODE: dict[str, Lowering] = {
    "conv": conv,
    "pool": pool,
    "reshape": reshape,
    "permute": permute,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "activation_layer": activation_layer,
    "relu": relu,
    "prelu": prelu,
    "softmax": softmax,
    "zero_padding": zero_padding,
    "upsample": upsample,
    "merge": merge,
    "concat": merge,
}
