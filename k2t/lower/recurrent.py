"""Recurrent layers: torch's kernels where they compute the same, else Keras's loop over time."""

from __future__ import annotations

import re
from dataclasses import replace

from k2t.ir.finding import NotMigrated
from k2t.ir.values import Obj, Shape, Value, as_int
from k2t.lower import text as t
from k2t.lower.activations import activation_row
from k2t.lower.convolutions import check_format, known_padding, string_padding
from k2t.lower.masks import is_told, told
from k2t.lower.ops import Context, Op, add_arguments, stem, with_options
from k2t.lower.parameters import initializer as initializer_text
from k2t.table import Row


def function(ctx: Context, value: Value) -> str:
    """An activation as a function that can be handed on."""
    row = activation_row(ctx, value)
    if row is None:
        return "nn.Identity()"
    name = row.for_dialect(ctx.dialect, "function")
    if not name:
        raise NotMigrated(
            "K2T120", f"a recurrent layer with activation {row.name} is not carried over"
        )
    if name == "hard_sigmoid":
        ctx.helpers["hard_sigmoid"] = None
    return str(name)


def native(ctx: Context, layer: Obj) -> bool:
    """Whether torch's own class computes a recurrent layer (or stands for it under ``plain``)."""
    kind = ctx.row(layer).data["torch_class"]
    rows = [activation_row(ctx, t.get(layer.args, name)) for name in ACTIVATIONS[kind == "RNN"]]
    names = tuple(row.name if row is not None else "linear" for row in rows)
    dropped = not t.same_value(t.get(layer.args, "recurrent_dropout"), 0.0)
    after = kind != "GRU" or t.flag(layer.args, "reset_after")
    known = names in (("tanh", "sigmoid"), ("tanh",), ("relu",)) and after and not dropped
    return known or ctx.fidelity == "plain"


ACTIVATIONS = (("activation", "recurrent_activation"), ("activation",))


def cell(ctx: Context, row: Row, layer: Obj, width: str | None) -> tuple[str, bool]:
    """The module constructor of a recurrent layer, and whether it is torch's own class."""
    if width is None:
        raise NotMigrated("K2T121", f"{row.name} needs a known input width")
    kind = str(row.data["torch_class"])
    units = t.text(t.get(layer.args, "units"))
    act = function(ctx, t.get(layer.args, "activation"))
    gate = function(ctx, t.get(layer.args, "recurrent_activation")) if kind != "RNN" else None
    reset_after = t.flag(layer.args, "reset_after") if kind == "GRU" else True
    recurrent_dropout = t.get(layer.args, "recurrent_dropout")
    bias = t.flag(layer.args, "use_bias")
    head = f"{width}, {units}"
    deep = as_int(t.get(layer.args, "layers"))
    if deep is not None:
        head = f"{head}, num_layers={deep}"
        check_deep(ctx, layer)
    dropped = not t.same_value(recurrent_dropout, 0.0)
    if kind == "RNN" and act == "F.relu" and not dropped:
        extra = ', nonlinearity="relu"' + ("" if bias else ", bias=False")
        return f"nn.RNN({head}, batch_first=True{extra})", True
    native = act == "torch.tanh" and gate in (None, "torch.sigmoid") and reset_after and not dropped
    if native:
        extra = "" if bias else ", bias=False"
        return f"nn.{kind}({head}, batch_first=True{extra})", True
    if ctx.fidelity == "plain":
        ctx.note(
            "K2T122",
            "warning",
            f"{row.name} became nn.{kind}: its activations, recurrent dropout "
            "or reset_after=False are not kept (outputs differ by 0.03 and more)",
        )
        extra = "" if bias else ", bias=False"
        return f"nn.{kind}({head}, batch_first=True{extra})", True
    if not bias:
        raise NotMigrated(
            "K2T123",
            f"{row.name}(use_bias=False) with other than the default "
            "activations is not carried over",
        )
    extra_args = [] if act == "torch.tanh" else [f"activation={act}"]
    if gate not in (None, "torch.sigmoid"):
        extra_args.append(f"recurrent_activation={gate}")
    name = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}[kind]
    if dropped:
        name += "Full"
        if not t.same_value(t.get(layer.args, "dropout"), 0.0):
            extra_args.append(f"dropout={t.text(t.get(layer.args, 'dropout'))}")
        extra_args.append(f"recurrent_dropout={t.text(recurrent_dropout)}")
        if not reset_after:
            extra_args.append("reset_after=False")
    elif not reset_after and is_told(layer):
        name = "GRUFull"
        extra_args.append("reset_after=False")
    elif not reset_after:
        name = "ResetBeforeGRU"
    elif is_told(layer):
        name = f"Masked{name}"
    ctx.helpers[name] = None
    ctx.note(
        "K2T124",
        "info",
        f"{row.name} became a loop over time in Python: exact, but slower than "
        f"nn.{kind}, which has neither its activations nor recurrent_dropout",
    )
    return f"{name}({', '.join([head, *extra_args])})", False


def rnn(ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None) -> list[Op]:
    if "states" in layer.args:
        return [with_states(ctx, row, layer, width)]
    refuse_state(layer)
    module, native = cell(ctx, row, layer, width)
    kept = keeps_states(layer)
    if kept is not None:
        ctx.helpers["Stateful"] = None
        module = f"Stateful({module}{kept})"
    sequences = t.flag(layer.args, "return_sequences")
    ending = "[0]" if sequences else "[0][:, -1]"
    op = Op(
        module=module,
        call=applied(ctx, layer, native) + ending,
        layout="last",
        out="last",
        stem=stem(row.name),
        widens=True,
        mask=native and kept is None,
    )
    return [*time_constant_dropout(layer, native), op] if native else [op]


def keeps_states(layer: Obj) -> str | None:
    """Whether a layer is stateful: how it says so; None: it is not.

    Raises:
        NotMigrated: it is told a mask as well.
    """
    value = t.get(layer.args, "stateful")
    said = t.text(value)
    if said == "False":
        return None
    if is_told(layer):
        raise NotMigrated("K2T190", f"a stateful {layer.row} behind a mask", layer.span)
    return "" if said == "True" else f", {said}"


def applied(ctx: Context, layer: Obj, native: bool, states: str = "") -> str:
    """The call of a recurrent module: of {x} with the {mask}, if there is one."""
    turn = ".flip(1)" if t.flag(inner_layer(layer).args, "go_backwards") else ""
    if not is_told(layer):
        return f"{{m}}({{x}}{turn}{states})"
    if native:
        ctx.helpers["skip_padding"] = None
        return f"skip_padding({{m}}, {{x}}{turn}, {{mask}}{turn}{states})"
    return f"{{m}}({{x}}{turn}{states}, mask={{mask}}{turn})"


def check_deep(ctx: Context, layer: Obj) -> None:
    """Refuse what cells in a stack do and torch's layers in a stack do not.

    Raises:
        NotMigrated: it is asked for.
    """
    plain = t.same_value(t.get(layer.args, "dropout"), 0.0)
    if not native(ctx, layer) or not plain or t.flag(layer.args, "return_state"):
        why = "cells in a stack with dropout, states or activations that torch's layers do not have"
        raise NotMigrated("K2T142", why, layer.span)


STATES = {"LSTM": "LSTMWithStates", "GRU": "GRUWithState", "RNN": "SimpleRNNWithState"}


def with_states(ctx: Context, row: Row, layer: Obj, width: str | None) -> Op:
    """A recurrent layer in a class of the script that goes on with its states.

    Raises:
        NotMigrated: torch's kernel does not compute it.
    """
    module, native = cell(ctx, row, layer, width)
    if t.flag(layer.args, "stateful"):
        raise NotMigrated("K2T190", f"the states of a stateful {row.name}", layer.span)
    plain = t.same_value(t.get(layer.args, "dropout"), 0.0)
    if not native or not plain or t.flag(layer.args, "go_backwards"):
        why = f"the states of a {row.name} with dropout, go_backwards or its own activations"
        raise NotMigrated("K2T128", why, layer.span)
    kind = str(row.data["torch_class"])
    ctx.helpers[STATES[kind]] = None
    module = module.replace(f"nn.{kind}", STATES[kind])
    if t.flag(layer.args, "return_sequences"):
        module = f"{module[:-1]}, return_sequences=True)"
    call = "{m}({x})" if t.flag(layer.args, "return_state") else "{m}({x})[0]"
    return Op(module=module, call=call, layout="last", out="last", stem=stem(row.name), widens=True)


def time_constant_dropout(layer: Obj, native: bool) -> list[Op]:
    """``dropout`` alone drops whole input features, the same at every step."""
    rate = t.get(layer.args, "dropout")
    if t.same_value(rate, 0.0):
        return []
    return [
        Op(
            module=f"nn.Dropout1d({t.text(rate)})",
            layout="first",
            stem="dropout",
            comment="drops whole features, the same at every step",
        )
    ]


def refuse_state(layer: Obj) -> None:
    """States are handed back in functional models that are written layer by layer."""
    if t.flag(layer.args, "return_state"):
        raise NotMigrated("K2T128", f"{layer.row}(return_state=True) is not carried over here")


WRAPPER = re.compile(r"^((Masked)?Bidirectional|Stateful)\(")
"""The emitted classes that hold a layer for each direction, or one and its states."""

MERGES = {
    "concat": "torch.cat([{a}, {b}], {dim})",
    "sum": "{a} + {b}",
    "mul": "{a} * {b}",
    "ave": "({a} + {b}) / 2",
}


def bidirectional(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    inner = t.get(layer.args, "layer")
    if not isinstance(inner, Obj) or "units" not in inner.args:
        raise NotMigrated("K2T125", "Bidirectional is carried over around LSTM, GRU and SimpleRNN")
    inner_row = ctx.table.rows["layers"][inner.row]
    refuse_state(inner)
    mode = t.string(layer.args, "merge_mode")
    if mode not in MERGES:
        raise NotMigrated("K2T126", f"Bidirectional(merge_mode={mode!r}) is not carried over")
    if t.flag(inner.args, "go_backwards"):
        raise NotMigrated("K2T126", "go_backwards inside Bidirectional is not carried over")
    if t.flag(inner.args, "stateful"):
        raise NotMigrated("K2T190", "a stateful layer inside Bidirectional", layer.span)
    sequences = t.flag(inner.args, "return_sequences")
    if is_told(layer):
        if sequences and ctx.dialect == "keras2":
            why = "a mask in a Bidirectional with return_sequences: Keras 2.2 repeats outputs"
            raise NotMigrated("K2T114", why, layer.span)
        inner = told(inner)
    module, native = both(ctx, layer, inner, width)
    op = Op(
        module=module,
        layout="last",
        out="last",
        stem=stem(inner.row),
        widens=True,
        mask=native,
    )
    call = applied(ctx, layer, native)
    before = time_constant_dropout(inner, native) if native else []
    if sequences and mode == "concat":
        return [*before, replace(op, call=f"{call}[0]")]
    if sequences:
        lines: tuple[str, ...] = (f"forward, backward = {call}[0].chunk(2, -1)",)
        halves = {"a": "forward", "b": "backward", "dim": "-1"}
    else:
        state = "_, (h, _)" if inner_row.data["torch_class"] == "LSTM" else "_, h"
        lines = (f"{state} = {call}",)
        halves = {"a": "h[0]", "b": "h[1]", "dim": "1"}
    merged = MERGES[mode].format(**halves)
    comment = "" if sequences else "last state of each direction"
    return [*before, replace(op, call=merged, lines=lines, comment=comment)]


def both(ctx: Context, layer: Obj, inner: Obj, width: str | None) -> tuple[str, bool]:
    """The module of a Bidirectional, and whether it is torch's own class."""
    module, native = cell(ctx, ctx.row(inner), inner, width)
    if native:
        return module[:-1] + ", bidirectional=True)", True
    name = "MaskedBidirectional" if is_told(inner) else "Bidirectional"
    ctx.helpers[name] = None
    return f"{name}({module}, {module})", False


def recurrent_inits(ctx: Context, layer: Obj) -> tuple[str, str, str, bool]:
    """Initialisation of kernel, recurrent kernel and bias; whether forget gates start at 1."""
    kernel, _ = initializer_text(ctx, t.get(layer.args, "kernel_initializer"))
    recurrent, _ = initializer_text(ctx, t.get(layer.args, "recurrent_initializer"))
    bias, _ = initializer_text(ctx, t.get(layer.args, "bias_initializer"))
    forget = "unit_forget_bias" in layer.args and t.flag(layer.args, "unit_forget_bias")
    return kernel, recurrent, bias, forget


def conv_lstm(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """A convolution of all frames at once, and Keras's loop over time with another one."""
    check_format(layer)
    if width is None:
        raise NotMigrated("K2T121", f"{row.name} needs a known input width")
    args = [width, t.text(t.get(layer.args, "filters")), t.text(t.get(layer.args, "kernel_size"))]
    axes = int(row.data["axes"])
    for code, name in (("K2T128", "return_state"), ("K2T190", "stateful")):
        if t.flag(layer.args, name):
            why = f"{row.name}({name}=True): of its states none leave the emitted layer"
            raise NotMigrated(code, why, layer.span)
    padding, strides = string_padding(layer), t.ints(t.get(layer.args, "strides"), axes)
    before: list[Op] = []
    if padding == "same" and strides == (1,) * axes:
        args.append('padding="same"')
    elif padding == "same":
        pads = known_padding(layer, shape[1:] if shape is not None else None, axes, strides)
        if pads is None:
            raise NotMigrated("K2T106", 'padding="same" with strides needs known sizes')
        flat = ", ".join(str(n) for pair in reversed(pads) for n in pair)
        pad = f"nn.ZeroPad{axes}d(({flat}))" if axes > 1 else f"nn.ConstantPad1d(({flat}), 0)"
        before = [Op(module=pad, layout="first", stem="pad")]
    rates = {n: t.get(layer.args, n) for n in ("dropout", "recurrent_dropout")}
    drops = [f"{n}={t.text(v)}" for n, v in rates.items() if not t.same_value(v, 0.0)]
    name = f"ConvLSTM{axes}d{'Full' if drops else ''}"
    module = with_options(f"{name}({', '.join(args)})", row, layer)
    act = function(ctx, t.get(layer.args, "activation"))
    gate = function(ctx, t.get(layer.args, "recurrent_activation"))
    extra = [] if act == "torch.tanh" else [f"activation={act}"]
    extra += [] if gate == "torch.sigmoid" else [f"recurrent_activation={gate}"]
    extra += drops
    ctx.helpers[name] = None
    call = "{m}({x}.flip(2))" if t.flag(layer.args, "go_backwards") else "{m}({x})"
    last = "" if t.flag(layer.args, "return_sequences") else "[:, :, -1]"
    op = Op(
        module=add_arguments(module, *extra) if extra else module,
        call=call + last,
        layout="first",
        out="first",
        stem="conv_lstm",
        widens=True,
    )
    return [*before, op]


def own_cell(
    ctx: Context, row: Row, layer: Obj, shape: Shape | None, width: str | None
) -> list[Op]:
    """What is left of RNN where its cells are none of Keras's, alike, and none of the script's.

    Raises:
        NotMigrated: always.
    """
    why = "RNN around cells that are not known, or not made alike"
    raise NotMigrated("K2T142", why, layer.span)


def spelling(layer: Obj) -> str | None:
    """The name that a layer was made by, where it has other defaults; CuDNNLSTM has two biases."""
    said = inner_layer(layer).args.get("@spelling")
    return str(t.data(said.value)) if said is not None else None


def inner_layer(layer: Obj) -> Obj:
    """The recurrent layer inside a Bidirectional, or the layer itself."""
    inner = t.get(layer.args, "layer")
    return inner if isinstance(inner, Obj) else layer
