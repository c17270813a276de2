"""Initial values: one ``init_weights`` per script, and lines for layers that differ from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from k2t.ir.finding import NotMigrated
from k2t.ir.torch import InitCase, Line
from k2t.ir.values import Obj
from k2t.lower import text as t
from k2t.lower.masks import HEADS
from k2t.lower.ops import Context, Op, member
from k2t.lower.recurrent import WRAPPER, inner_layer, recurrent_inits, spelling

RECURRENT = {"LSTM", "GRU", "SimpleRNN", "Bidirectional"}
BASES = {
    "SameConv1d": "nn.Conv1d",
    "SameConv2d": "nn.Conv2d",
    "CausalConv1d": "nn.Conv1d",
    "LSTM": "nn.LSTM",
    "LSTMFull": "nn.LSTM",
    "MaskedMultiHeadAttention": "MultiHeadAttention",
    "MultiHeadAttentionOverAxes": "MultiHeadAttention",
    "MaskedGroupQueryAttention": "GroupQueryAttention",
    "MaskedLSTM": "nn.LSTM",
    "LSTMWithStates": "nn.LSTM",
    "GRUWithState": "nn.GRU",
    "SimpleRNNWithState": "nn.RNN",
    "GRU": "nn.GRU",
    "GRUFull": "nn.GRU",
    "ResetBeforeGRU": "nn.GRU",
    "MaskedGRU": "nn.GRU",
    "SimpleRNN": "nn.RNN",
    "SimpleRNNFull": "nn.RNN",
    "MaskedSimpleRNN": "nn.RNN",
    "BatchNorm1d": "nn.BatchNorm1d",
    "BatchNorm2d": "nn.BatchNorm2d",
    "BatchNorm3d": "nn.BatchNorm3d",
}
TORCH_STARTS = {"gamma": "nn.init.ones_({p})", "beta": "nn.init.zeros_({p})"}
"""What torch itself does for normalisation layers, so that nothing need be said."""

Made = tuple[str, Op, Obj]
"""Where a module is (attribute path), the op, and the layer it came from."""


def torch_class(op: Op) -> str:
    """The torch class that a constructor text makes (a lazy class becomes the plain one)."""
    name = WRAPPER.sub("", op.module or "").partition("(")[0]
    return BASES.get(name, name.replace("nn.Lazy", "nn."))


@dataclass
class Start:
    """The statements that initialise one module, in order, as functions of its expression."""

    lines: tuple[str, ...]
    words: tuple[str, ...]


def start_of(ctx: Context, op: Op, layer: Obj) -> Start | None:
    """How a module starts; ``{m}`` is the module. None: as torch itself does."""
    if layer.row in RECURRENT:
        return recurrent_start(ctx, op, layer)
    lines, words = [], []
    mixed = torch_class(op) in ctx.mixed
    for param in op.params:
        if TORCH_STARTS.get(param.keras) == param.init:
            continue
        if param.torch.endswith("bias") and biasless(op) and not mixed:
            continue
        line = param.init.replace("{p}", f"{{m}}.{param.torch}")
        if param.torch == "bias" and mixed:
            lines += ["if {m}.bias is not None:", "    " + line]
        else:
            lines.append(line)
        words.append(f"{param.words} {kind(param.keras)}")
    if (
        layer.row.startswith("ConvLSTM")
        and t.flag(layer.args, "unit_forget_bias")
        and not biasless(op)
    ):
        lines.append("nn.init.ones_({m}.input.bias.chunk(4)[1])")
        words.append("forget gates at one")
    return Start(tuple(lines), tuple(words)) if lines else None


def biasless(op: Op) -> bool:
    return "bias=False" in (op.module or "") or "affine=False" in (op.module or "")


def mixed_classes(made: Sequence[Made]) -> set[str]:
    """The classes of which some modules have a bias and some have not."""
    ways: dict[str, set[bool]] = {}
    for _, op, layer in made:
        if op.module is not None and op.params and layer.row not in RECURRENT:
            known = not re.search(r"bias=(?!False|True)", op.module)
            both = {True, False} if not known else {biasless(op)}
            ways.setdefault(torch_class(op), set()).update(both)
        if torch_class(op) in HEADS and biasless(op):
            ways.setdefault("nn.Linear", set()).update((True, False))  # those inside
    return {cls for cls, found in ways.items() if len(found) > 1}


def kind(keras: str) -> str:
    return {
        "kernel": "kernels",
        "bias": "biases",
        "embeddings": "embeddings",
        "alpha": "slopes",
        "recurrent": "recurrent kernels",
    }.get(keras, keras)


def recurrent_start(ctx: Context, op: Op, layer: Obj) -> Start:
    kernel, recurrent, bias, forget = recurrent_inits(ctx, inner_layer(layer))
    cls = torch_class(op)
    lines = [
        "for name, p in {m}.named_parameters():",
        '    if "weight_ih" in name:',
        "        " + kernel.replace("{p}", "p"),
        '    elif "weight_hh" in name:',
        "        " + recurrent.replace("{p}", "p"),
    ]
    words = ["Glorot uniform kernels" if "xavier_uniform" in kernel else "input kernels"]
    words.append(
        "orthogonal recurrent kernels" if "orthogonal" in recurrent else "recurrent kernels"
    )
    if "bias=False" in (op.module or ""):
        return Start(tuple(lines), tuple(words))
    after = "ResetBefore" not in (op.module or "") and "reset_after=False" not in (op.module or "")
    if cls == "nn.GRU" and after:
        lines += ["    else:", "        " + bias.replace("{p}", "p")]
        return Start(tuple(lines), (*words, "zero biases"))
    lines += ['    elif "bias_ih" in name:', "        " + bias.replace("{p}", "p")]
    if forget:
        lines.append("        nn.init.ones_(p.chunk(4)[1])")
        words.append("forget gates at one")
    if spelling(layer) == "CuDNNLSTM":
        return Start(
            (*lines, "    else:", "        " + bias.replace("{p}", "p")), (*words, "zero biases")
        )
    lines += [
        "    else:",
        "        nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate",
    ]
    return Start(tuple(lines), (*words, "zero biases"))


@dataclass
class Plan:
    """The common start of each torch class over all models of the script."""

    common: dict[str, Start | None] = field(default_factory=dict)

    def cases(self) -> tuple[InitCase, ...]:
        """Branches of ``init_weights``; classes that start alike share one."""
        grouped: dict[tuple[str, ...], list[str]] = {}
        for cls, start in self.common.items():
            if start is not None:
                grouped.setdefault(start.lines, []).append(cls)
        return tuple(
            InitCase(tuple(sorted(classes)), tuple(line.replace("{m}", "module") for line in lines))
            for lines, classes in grouped.items()
        )

    def words(self) -> str:
        found: dict[str, None] = {}
        for start in self.common.values():
            for word in start.words if start is not None else ():
                found[word] = None
        return sentence(list(found))


def sentence(words: list[str]) -> str:
    text = ", ".join(words)
    return text + "." if text else ""


def plan(ctx: Context, made: Sequence[Made]) -> Plan:
    """For each torch class, the start most of its modules have."""
    ctx.mixed = mixed_classes(made)
    seen: dict[str, Counter[tuple[str, ...]]] = {}
    starts: dict[tuple[str, tuple[str, ...]], Start | None] = {}
    for _, op, layer in made:
        if op.module is None or not (op.params or layer.row in RECURRENT):
            continue
        start = start_of(ctx, op, layer)
        key = start.lines if start is not None else ()
        if any("INITIALIZERS[" in line for line in key):
            continue
        seen.setdefault(torch_class(op), Counter())[key] += 1
        starts[torch_class(op), key] = start
    return Plan({cls: starts[cls, counter.most_common(1)[0][0]] for cls, counter in seen.items()})


def special_lines(
    ctx: Context, common: Plan, made: list[Made], loop_names: frozenset[str]
) -> tuple[Line, ...]:
    """Lines after ``apply`` for modules of one class that start differently.

    Raises:
        NotMigrated: such a module is made in a loop and cannot be addressed.
    """
    own: list[tuple[str, Start, Op]] = []
    others: list[tuple[str, Op]] = []
    for path, op, layer in made:
        if (op.module or "").startswith("nn.Embedding.from") and "nn.Embedding" in common.common:
            raise NotMigrated("K2T201", "an Embedding from an array beside others", layer.span)
        if op.module is None or not (op.params or layer.row in RECURRENT):
            continue
        start, base = start_of(ctx, op, layer), common.common.get(torch_class(op))
        if key_of(start) == key_of(base):
            others.append((path, op))
        elif start is None:
            raise NotMigrated("K2T201", "a layer with torch's own start among others", layer.span)
        else:
            own.append((path, start, op))
    if any(path.endswith("[?]") for path, _, _ in own):
        return (*looped(common, own, others, loop_names), *frozen_lines(made))
    lines: list[Line] = []
    for path, start, op in own:
        texts = beyond(start, common.common.get(torch_class(op)))
        if ":" in path:
            lines += in_every(path, texts)
        else:
            lines += [Line(text.replace("{m}", path)) for text in texts]
    return (*lines, *frozen_lines(made))


def in_every(path: str, texts: list[str]) -> list[Line]:
    """Lines about every module of a class (``nn.Linear:``), or an attribute (``ConvBn:conv``)."""
    cls, _, attribute = path.partition(":")
    wanted = (
        "for module in self.modules():",
        f"    if isinstance(module, {cls}):",
        *("        " + text.replace("{m}", member("module", attribute)) for text in texts),
    )
    return [Line(text) for text in wanted]


def beyond(start: Start, base: Start | None) -> list[str]:
    """What a start says that the common one of its class does not."""
    known = base.lines if base is not None else ()
    units: list[list[str]] = []  # a line, or a header with its block
    for line in start.lines:
        if line.startswith(" "):
            units[-1].append(line)
        else:
            units.append([line])
    wanted = [u for u in units if u[0].startswith("for") or not all(x in known for x in u)]
    return [line for unit in wanted for line in unit]


def frozen_lines(made: list[Made]) -> tuple[Line, ...]:
    """Parameters that Keras does not have (center=False or scale=False) stay as they start.

    ``""`` stands for all of a module (trainable=False).
    """
    lines = []
    for path, op, _ in made:
        for name in op.frozen:
            if path.endswith("[?]"):
                what = "center or scale switched off" if name else "trainable=False"
                raise NotMigrated("K2T111", f"{what} inside a loop")
            ending = f"{'.' if name else ''}{name}.requires_grad_(False)"
            if ":" in path:
                lines += in_every(path, ["{m}" + ending])
                continue
            lines.append(Line(path + ending))
    return tuple(lines)


def key_of(start: Start | None) -> tuple[str, ...]:
    return start.lines if start is not None else ()


def looped(
    common: Plan,
    own: list[tuple[str, Start, Op]],
    others: list[tuple[str, Op]],
    loop_names: frozenset[str],
) -> tuple[Line, ...]:
    """Modules made in a loop: reached through their Sequential, which holds no others of the kind
    but at its end."""
    classes = {torch_class(op) for _, _, op in own}
    bases = {path.partition("[")[0] for path, _, _ in own}
    keys = {key_of(start) for _, start, _ in own}
    if len(classes) != 1 or len(bases) != 1 or len(keys) != 1 or "self" in bases:
        raise NotMigrated("K2T201", "initializers that differ inside a loop are not carried over")
    cls, base = classes.pop(), bases.pop()
    beside = [path for path, op in others if torch_class(op) == cls and path.startswith(base)]
    ends = [int(p.partition("[")[2][:-1]) for p in beside if p.startswith(base + "[-")]
    if len(ends) != len(beside):
        raise NotMigrated("K2T201", "initializers that differ inside a loop are not carried over")
    texts = beyond(own[0][1], common.common.get(cls))
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    if words & loop_names:
        raise NotMigrated("K2T201", "an initializer that changes from round to round")
    part = f"{base}[:{min(ends)}]" if ends else base
    return (
        Line(f"for module in {part}:"),
        Line(f"    if isinstance(module, {cls}):"),
        *(Line("        " + text.replace("{m}", "module")) for text in texts),
    )


# ---------------------------------------------------------------------- regularizers


NAMES = {"weight": "kernels", "bias": "biases", "value": "penalties"}


def penalty_lines(
    made: list[Made], parameters: dict[str, str], alone: bool = True
) -> tuple[Line, ...]:
    """The body of ``penalty``: one term per kind of kernel, or per layer where they differ.

    ``alone``: no other models are inside, so that all modules are the class's own.
    """
    terms: dict[str, list[tuple[str, str, str]]] = {}
    for path, op, _ in made:
        for torch, text in op.penalties:
            terms.setdefault(text, []).append((path, torch, torch_class(op)))
    if not terms:
        return ()
    parts: list[str] = []
    before: list[Line] = []
    for text, places in terms.items():
        text = own_names(text, parameters)
        classes = {(cls, torch) for _, torch, cls in places}
        cls, torch = next(iter(classes))
        everyone = [p for p, op, _ in made if torch_class(op) == cls]
        if (
            alone
            and len(classes) == 1
            and (len(places) > 1 or not places[0][0].startswith("self.") or "[" in places[0][0])
            and len(everyone) == len(places)
            and " + " not in text
            and "." not in torch
        ):
            factor, rest = factored(text)
            name = NAMES.get(torch, "weights")
            before.append(
                Line(f"{name} = [m.{torch} for m in self.modules() if isinstance(m, {cls})]")
            )
            each = f"{rest.replace('{p}', 'p')} for p in {name}"
            parts.append(f"{factor}sum({name if rest == '{p}' else each})")
            continue
        for path, torch, _ in places:
            if path.endswith("[?]"):
                raise NotMigrated(
                    "K2T300", "regularizers that differ inside a loop are not carried over"
                )
            if ":" in path:
                cls, _, attribute = path.partition(":")
                factor, rest = factored(text)
                each = rest.replace("{p}", f"{member('m', attribute)}.{torch}")
                every = f"for m in self.modules() if isinstance(m, {cls})"
                if " + " in text:
                    raise NotMigrated("K2T300", "two penalties in a function")
                parts.append(f"{factor}sum({each} {every})")
                continue
            parts.append(text.replace("{p}", f"{path}.{torch}"))
    return (*before, Line("return " + " + ".join(parts)))


def factored(text: str) -> tuple[str, str]:
    """A penalty as the factor of a sum, and what is summed."""
    factor, times, rest = text.partition(" * ")
    return (factor + times, rest) if times and "{p}" not in factor else ("", text)


def own_names(text: str, parameters: dict[str, str]) -> str:
    """Constructor parameters read in another method come from ``self``."""
    for name, attribute in parameters.items():
        text = re.sub(rf"(?<![\w.\"']){re.escape(name)}\b(?!=[^=])", attribute, text)
    return text
