"""Optimizers: the torch class with Keras's defaults written out, and what Keras adds to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from k2t.ir.finding import NotMigrated
from k2t.ir.torch import Line, Optimizer
from k2t.ir.values import Arg, Const, Value
from k2t.lower import text as t
from k2t.lower.ops import Context, fill
from k2t.lower.optimizer_rows import optimizer_row
from k2t.lower.parameters import value_or_default
from k2t.lower.schedules import by_steps, own_schedule, schedule_of, scheduled, starting
from k2t.lower.shaping import in_product
from k2t.table import Param, Row

if TYPE_CHECKING:
    pass

IGNORED = {"name", "use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"}
"""A factor of the loss is taken out of the gradients again."""


CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")

BY_STEPS = '[optimizer], [{"scheduler": decay, "interval": "step"}]'
"""The optimizer and a schedule that goes on with each step."""


def lower_optimizer(ctx: Context, value: Value) -> Optimizer:
    """``configure_optimizers`` for a compile argument."""
    row, args = optimizer_row(ctx, value)
    if by_variable(value):
        assert isinstance(value, Const)
        assert value.expr is not None
        made = construct(ctx, row, args, "params")
        ctx.tables.setdefault("OPTIMIZERS", {})[str(value.value)] = f"lambda params: {made}"
        if row.get("hook") and ctx.fidelity != "plain":
            raise NotMigrated("K2T401", "an optimizer chosen by a variable cannot be Adam")
        return Optimizer((), f"OPTIMIZERS[{value.expr.text}](self.parameters())")
    schedule = schedule_of(ctx, args)
    args = starting(*schedule, args) if schedule is not None else args
    own_rate = own_schedule(ctx, args)
    args = own_rate[1] if own_rate is not None else args
    changing = schedule is not None or own_rate is not None
    made = construct(ctx, row, args, "self.parameters()", changing)
    hook = (*clipping(ctx, args), *decayed(ctx, row, args), *adam_hook(ctx, row, args))
    if changing and ctx.rate:
        why = "a schedule beside a callback that changes the rate"
        raise NotMigrated("K2T402", why, args["learning_rate"].span)
    after = averaged(ctx, args)
    if schedule is not None:
        return Optimizer(scheduled(ctx, *schedule, made), BY_STEPS, (), hook, after)
    if own_rate is not None:
        return Optimizer(by_steps(made, own_rate[0]), BY_STEPS, (), hook, after)
    decay = t.get(args, "decay")
    if t.is_none(decay) or t.same_value(decay, 0.0):
        return Optimizer((), made, (), hook, after)
    if ctx.dialect == "keras3":
        raise NotMigrated(
            "K2T402", "Keras 3 ignores decay=; say which is meant", args["decay"].span
        )
    if ctx.rate:
        raise NotMigrated(
            "K2T402", "decay= beside a callback that changes the rate", args["decay"].span
        )
    factor = t.text(decay)
    lines = (
        Line(f"optimizer = {made}"),
        Line(f"decay = LambdaLR(optimizer, lambda step: 1 / (1 + {factor} * step))"),
    )
    return Optimizer(lines, BY_STEPS, (), hook, after)


def averaged(ctx: Context, args: Mapping[str, Arg]) -> tuple[str, ...]:
    """The callback that averages the weights, if ``use_ema``.

    Raises:
        NotMigrated: tf.keras, whose average begins elsewhere.
    """
    if "use_ema" not in args or not t.flag(args, "use_ema"):
        return ()
    if ctx.dialect != "keras3":
        why = "use_ema: the average of tf.keras begins before the first step, that of Keras 3 after"
        raise NotMigrated("K2T404", why, args["use_ema"].span)
    ctx.helpers["WeightAverage"] = None
    momentum = t.get(args, "ema_momentum")
    given = [] if t.is_none(momentum) or t.same_value(momentum, 0.99) else [t.text(momentum)]
    every = t.get(args, "ema_overwrite_frequency")
    given += [] if t.is_none(every) else [f"every={t.text(every)}"]
    return (f"WeightAverage({', '.join(given)})",)


def clipping(ctx: Context, args: Mapping[str, Arg]) -> tuple[Line, ...]:
    """What is done to the gradients before a step; Keras 2.2 takes ``clipnorm`` of all of them."""
    given = {name: t.get(args, name) for name in CLIPS}
    texts = {name: t.text(value) for name, value in given.items() if not t.is_none(value)}
    if ctx.dialect == "keras2" and "clipnorm" in texts:
        texts["global_clipnorm"] = texts.pop("clipnorm")
    lines: list[Line] = []
    if (most := texts.get("clipnorm")) is not None:
        lines = [
            Line(
                "for p in self.parameters():", comments=("# each gradient by itself, as in Keras",)
            ),
            Line("    if p.grad is not None:"),
            Line(f"        p.grad *= {in_product(most)} / p.grad.norm().clamp_min({most})"),
        ]
    limit = t.data(given["global_clipnorm"])
    if (most := texts.get("global_clipnorm")) is not None and small(limit):
        lines += [
            Line(
                "grads = [p.grad for p in self.parameters() if p.grad is not None]",
                comments=("# clip_grad_norm_ adds 1e-6 to the norm, which counts here",),
            ),
            Line("norm = nn.utils.get_total_norm(grads)"),
            Line("for grad in grads:"),
            Line(f"    grad *= {in_product(most)} / norm.clamp_min({most})"),
        ]
    elif most is not None:
        lines.append(Line(f"nn.utils.clip_grad_norm_(self.parameters(), {most})"))
    if (most := texts.get("clipvalue")) is not None:
        lines.append(Line(f"nn.utils.clip_grad_value_(self.parameters(), {most})"))
    return tuple(lines)


def decayed(ctx: Context, row: Row, args: Mapping[str, Arg]) -> tuple[Line, ...]:
    """What makes weights smaller before a step, where torch's class adds it to the gradient."""
    signature = row.signature(ctx.dialect)
    taken = "{weight_decay}" in str(row.data["args"]) or row.name == "Adam" or row.get("own_decay")
    if taken or not weight_decay(signature, args):
        return ()
    factor = in_product(t.text(value_for(signature, args, "weight_decay")))
    return (
        Line(
            "with torch.no_grad():",
            comments=("# the weights decay apart from the gradient, as in Keras",),
        ),
        Line("    for group in optimizer.param_groups:"),
        Line('        for p in group["params"]:'),
        Line("            if p.grad is not None:"),
        Line(f'                p -= p * {factor} * group["lr"]'),
    )


def small(limit: object) -> bool:
    return isinstance(limit, float) and limit < 0.1


def lasting(made: Optimizer) -> Optimizer:
    """The same for a model that is fitted again: its optimizer goes on, as in Keras.

    Each Trainer asks for the optimizers, and counts its steps from zero.
    """
    check_average(made)
    kept = (*made.lines, *(() if made.lines else (Line(f"optimizer = {made.result}"),)))
    lines = [
        Line('if not hasattr(self, "optimizer"):'),
        *(Line("    " + own(line.text)) for line in kept),
    ]
    result = own(made.result) if made.lines else "self.optimizer"
    comments = (*made.comments, "# fitted again, the model goes on with the same optimizer")
    made = replace(made, lines=tuple(lines), result=result, comments=comments)
    if not made.hook:
        return made
    hook = [
        replace(line, text=counted(line.text))
        for line in made.hook
        if line.text != "group = optimizer.param_groups[0]"
    ]
    count = (
        Line("group = optimizer.param_groups[0]"),
        Line('group["step"] = group.get("step", 0) + 1'),
    )
    counts = any('group["step"]' in line.text for line in hook)
    return replace(made, hook=(*count, *hook) if counts else tuple(hook))


def check_average(made: Optimizer) -> None:
    """Refuse ``use_ema`` where no single fit of a Trainer is all the training.

    Raises:
        NotMigrated: it is used.
    """
    if made.callbacks:
        raise NotMigrated("K2T404", "use_ema of a model that is fitted again, or batch by batch")


def own(text: str) -> str:
    """The optimizer and its schedule as attributes of the module."""
    return re.sub(r"(?<![\w.\"])(optimizer|decay)\b(?!=)", r"self.\1", text)


def counted(text: str) -> str:
    text = text.replace("optimizer.param_groups[0]", "group")
    return text.replace("(self.global_step + 1)", 'group["step"]').replace(
        "self.global_step + 1", 'group["step"]'
    )


def by_variable(value: Value) -> bool:
    return (
        isinstance(value, Const)
        and isinstance(value.value, str)
        and value.expr is not None
        and value.expr.text.isidentifier()
    )


def construct(
    ctx: Context, row: Row, args: Mapping[str, Arg], params: str, changing: bool = False
) -> str:
    """The constructor call, keywords where they differ from torch's defaults.

    changing: the rate is another one from step to step.
    """
    torch = str(row.for_dialect(ctx.dialect, "torch"))
    helper = row.for_dialect(ctx.dialect, "helper", "")
    signature = row.signature(ctx.dialect)
    check_arguments(row, args, signature)
    momentum = t.get(args, "momentum")
    moves = not (t.is_none(momentum) or t.same_value(momentum, 0.0))
    centered = "centered" in args and t.flag(args, "centered")
    if row.name == "RMSprop" and (moves or centered):
        helper = "RMSpropFull" if helper else ""
    if row.name == "RMSpropLegacy" and moves:
        helper = "RMSpropFull"
    if row.name == "Adagrad" and ctx.dialect != "keras2":
        start = value_for(signature, args, "initial_accumulator_value")
        usual = t.same_value(value_for(signature, args, "epsilon"), 1e-7)
        if not (t.same_value(start, 0.1) and usual):
            helper = "Adagrad"
    decayed = "decay" in args and not t.same_value(t.get(args, "decay"), 0.0)
    if (
        row.name == "SGD"
        and (changing or decayed or ctx.rate)
        and not t.same_value(value_for(signature, args, "momentum"), 0.0)
    ):
        helper = ctx.rate or ("SGDFull" if changing else "SGD")  # a schedule may end at zero
    if helper and ctx.fidelity == "plain" and not row.get("always"):
        torch = str(row.get("plain", torch))
        ctx.note("K2T403", "warning", f"{row.name}: {row.get('price', 'differs from Keras')}")
    elif helper:
        ctx.helpers[str(helper)] = None
        torch = str(helper).removesuffix("Full")
    decays = weight_decay(signature, args)
    if decays and row.name == "Adam":
        torch = "torch.optim.AdamW"
    values = {
        p.name: t.text(value_for(signature, args, p.name)) for p in signature if p.name != "name"
    }
    keywords = []
    for keyword, template in row.data["args"]:
        text = fill(template, values)
        if keyword != "lr" and str(row.get("torch_defaults", {}).get(keyword)) == plain_text(text):
            continue
        keywords.append(f"{keyword}={text}")
    if decays and (row.name == "Adam" or row.get("own_decay")):
        keywords.append(f"weight_decay={values['weight_decay']}")
        keywords += [str(row.data["own_decay"])] if row.get("own_decay") else []
    if row.name.startswith("RMSprop") and (moves or centered):
        keywords += [f"momentum={values['momentum']}"] if moves else []
        keywords += ["centered=True"] if centered else []
    return f"{torch}({params}, {', '.join(keywords)})"


def plain_text(text: str) -> str:
    """A literal as the table writes it, for comparison with a torch default."""
    try:
        return str(type_of(text))
    except ValueError:
        return text


def type_of(text: str) -> object:
    if text in ("True", "False"):
        return text == "True"
    return float(text)


def value_for(signature: tuple[Param, ...], args: Mapping[str, Arg], name: str) -> Value:
    unsaid = name == "epsilon" and t.is_none(t.get(args, name))  # Keras 2: that of the backend
    if name in args and args[name].span is not None and not unsaid:
        return args[name].value
    if name in args and not t.is_none(args[name].value):
        return args[name].value
    return Const(next((p.default for p in signature if p.name == name), None))


def weight_decay(signature: tuple[Param, ...], args: Mapping[str, Arg]) -> bool:
    value = value_for(signature, args, "weight_decay")
    return not (t.is_none(value) or t.same_value(value, 0.0))


def check_arguments(row: Row, args: Mapping[str, Arg], signature: tuple[Param, ...]) -> None:
    templates = " ".join(template for _, template in row.data["args"])
    carried = {p.name for p in signature if "{" + p.name + "}" in templates} | IGNORED | {"decay"}
    carried |= {*CLIPS, "weight_decay", *row.get("ignored", ())}
    if row.name.startswith("RMSprop"):
        carried |= {"momentum", "centered"}
    for name, arg in args.items():
        if arg.span is None or name in carried or t.is_none(arg.value):
            continue
        default = next((p.default for p in signature if p.name == name), ...)
        if default is not ... and t.same_value(arg.value, default):
            continue
        raise NotMigrated("K2T404", f"{row.name}({name}=...) is not carried over", arg.span)


def exact_adam_hook(rate: str, first: str, second: str, epsilon: str) -> tuple[Line, ...]:
    """Keras's bias correction, rounded to float32 as there (6e-6 of the rate at first)."""
    return (
        Line(
            f"betas, step = ({first}, {second}), self.global_step + 1",
            comments=(
                "# Keras adds epsilon before the bias correction, torch after it;",
                "# and Keras rounds the correction to float32",
            ),
        ),
        Line("exact = [1 - beta**step for beta in betas]"),
        Line("rounded = 1 - np.power(np.float32(betas), np.float32(step))"),
        Line("group = optimizer.param_groups[0]"),
        Line(f'group["eps"] = {epsilon} / exact[1] ** 0.5'),
        Line(
            f'group["lr"] = {rate} * float((rounded[1] / exact[1]) ** 0.5 * exact[0] / rounded[0])'
        ),
    )


def adam_hook(ctx: Context, row: Row, args: Mapping[str, Arg]) -> tuple[Line, ...]:
    """Keras adds epsilon before the bias correction: the group's eps follows the step."""
    if row.get("hook") != "adam_epsilon":
        return ()
    if ctx.fidelity == "plain":
        ctx.note("K2T405", "warning", f"{row.name}: {row.data['price']}")
        return ()
    epsilon = t.text(value_for(row.signature(ctx.dialect), args, "epsilon"))
    beta = t.text(value_or_default(row, args, "beta_2"))
    rounded = ctx.fidelity == "exact" and ctx.dialect != "keras2"  # there the rounding cancels
    if rounded and not ctx.rate:
        first = t.text(value_or_default(row, args, "beta_1"))
        rate = t.text(value_or_default(row, args, "learning_rate"))
        return exact_adam_hook(rate, first, beta, epsilon)
    return (
        Line(
            f'optimizer.param_groups[0]["eps"] = {epsilon} / '
            f"(1 - {beta} ** (self.global_step + 1)) ** 0.5",
            comments=("# Keras adds epsilon before the bias correction, torch after it",),
        ),
    )
