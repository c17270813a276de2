"""Several outputs: a loss, a weight and metrics for each, under Keras's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from k2t.ir.finding import NotMigrated
from k2t.ir.program import Compile, Fed, Model
from k2t.ir.torch import Line, Step
from k2t.ir.values import NONE, Arg, Array, Tuple, Value
from k2t.lower import text as t
from k2t.lower.initial import own_names
from k2t.lower.metrics import Metric, lower_metrics
from k2t.lower.ops import Context, located
from k2t.lower.steps import updated, variable
from k2t.lower.targets import Loss, Output, lower_loss, target_text

SHARED = {"x", "y", "loss", "logs", "parts", "self", "batch", "prefix"}


@dataclass(frozen=True)
class Head:
    """One of several outputs: its name, what it is compiled with, where its targets are.

    ``log`` begins the name of its loss in the logs, ``prefix`` those of its metrics.
    """

    name: str
    log: str
    prefix: str
    output: Output
    loss: Loss
    metrics: tuple[Metric, ...]
    weight: str | None
    y: Array | None
    target: str

    @property
    def activated(self) -> str:
        """The prediction after the activation that is in the loss."""
        if self.loss.folded == "softmax":
            dim = 1 if self.output.shape is not None and len(self.output.shape) == 1 else -1
            return f"{self.name}.softmax({dim})"
        return f"{self.name}.sigmoid()" if self.loss.folded == "sigmoid" else self.name

    def calls(self) -> list[str]:
        """The loss and the metrics as the step calls them."""
        return [self.loss.call, *(m.call for m in self.metrics if m.call is not None)]


def lower_heads(
    ctx: Context, model: Model, outputs: Sequence[Output], targets: Fed | None
) -> tuple[Head, ...]:
    """What ``compile`` says of each output.

    Raises:
        NotMigrated: an output without a name, or something that is not carried for several.
    """
    compiled = model.compile
    assert compiled is not None
    names = [key for key in model.output_keys if key is not None]
    nameless = model.own and not names  # Keras 3: the logs go by the losses
    if nameless:
        names = [f"output_{n + 1}" for n in range(len(outputs))]
    taken = any(n in SHARED or not n.isidentifier() for n in names)
    if model.output_kind == "one" or len(names) != len(outputs) or taken:
        raise NotMigrated(
            "K2T304",
            "several outputs want a name each: name=... of their layers, or the keys of a dict",
            compiled.span,
        )
    if ctx.dialect == "keras2":
        raise NotMigrated(
            "K2T304", "the logs of several outputs are those of today's Keras only", compiled.span
        )
    if targets is None or len(targets.items) != len(outputs):
        raise NotMigrated("K2T304", "the targets of several outputs are not known", compiled.span)
    heads = []
    count = len(outputs)
    for number, (name, output) in enumerate(zip(names, outputs, strict=True)):
        arg = of_output(targets, name, number)
        y = arg.value if arg is not None and isinstance(arg.value, Array) else None
        with located(compiled.span):
            loss = lower_loss(ctx, given(compiled, "loss", name, number, count), output)
            if loss.setup is not None:
                raise NotMigrated("K2T304", "a loss without a name for one of several outputs")
            value = given(compiled, "metrics", name, number, count)
            metrics = lower_metrics(ctx, value, output, loss, y)
            if any(m.mean for m in metrics):
                why = "a metric that gives one value a batch, for one of several outputs"
                raise NotMigrated("K2T304", why)
        weight = given(compiled, "loss_weights", name, number, count)
        target = f'y["{name}"]' if targets.kind == "dict" else f"y[{number}]"
        factor = None if t.is_none(weight) else t.text(weight)
        logs = (name, f"{name}_")
        if nameless:
            said = t.data(given(compiled, "loss", name, number, count))
            if not isinstance(said, str):
                why = "outputs without names, with a loss that is not named by a string"
                raise NotMigrated("K2T304", why, compiled.span)
            logs = (said, "")
        heads.append(Head(name, *logs, output, loss, tuple(metrics), factor, y, target))
    told = [h.log for h in heads] + [f"{h.prefix}{m.log}" for h in heads for m in h.metrics]
    if len(set(told)) < len(told) or not all(name.isidentifier() for name in told):
        why = "outputs without names share a loss or metric, and Keras logs only one of the two"
        raise NotMigrated("K2T304", why, compiled.span)
    return tuple(heads)


def of_output(parts: Fed, name: str, number: int) -> Arg | None:
    """The part that is about an output."""
    if parts.kind == "dict":
        return dict(zip(parts.keys, parts.items, strict=True)).get(name)
    return parts.items[number] if number < len(parts.items) else None


def given(compiled: Compile, argument: str, name: str, number: int, count: int) -> Value:
    """What an argument of ``compile`` says about an output."""
    arg = compiled.args.get(argument)
    if arg is None or t.is_none(arg.value):
        return NONE
    parts = compiled.parts.get(argument)
    if parts is None:
        if argument == "loss" and not isinstance(arg.value, Tuple):
            return arg.value
        raise NotMigrated("K2T304", f"which output {argument} is about is not known", arg.span)
    if parts.kind == "list" and len(parts.items) != count:
        raise NotMigrated("K2T304", f"{argument} does not say something of each output", arg.span)
    found = of_output(parts, name, number)
    if found is None and argument == "loss":
        raise NotMigrated("K2T304", f"the output {name} has no loss", arg.span)
    return found.value if found is not None else NONE


def of_only_output(compiled: Compile, argument: str) -> Value:
    """What an argument of ``compile`` says of a model's only output, in a list or dict or not."""
    parts = compiled.parts.get(argument)
    alone = parts is not None and len(parts.items) == 1
    if alone and parts is not None and (parts.kind == "dict" or argument == "loss"):
        return parts.items[0].value
    return t.get(compiled.args, argument)


def put(template: str, head: Head, prediction: str) -> str:
    """A loss or metric of an output."""
    true = f"{head.name}_true"
    values = {"p": prediction, "raw": head.name, "y": true, "int": f"{true}.int()"}
    for key, value in values.items():
        template = template.replace("{" + key + "}", value)
    return template


def objects(heads: Sequence[Head]) -> tuple[tuple[str, str], ...]:
    """The metrics of the outputs that the module holds, and what makes them."""
    return tuple(
        (f"{head.prefix}{m.log}", m.object) for head in heads for m in head.metrics if m.object
    )


def imports(heads: Sequence[Head], metrics: Sequence[Metric]) -> list[str]:
    """What the metrics of a model, or of its outputs, want imported."""
    every = (*metrics, *(m for head in heads for m in head.metrics))
    return [m.imports for m in every if m.imports]


def build_step(
    heads: Sequence[Head], penalized: bool, params: dict[str, str], validating: bool
) -> Step:
    """The weighted sum of the losses; each loss and metric under its name in Keras's logs."""
    lines = [Line(f"{', '.join(h.name for h in heads)} = self(x)")]
    for head in heads:
        text = target_text(head.loss.target, head.y, head.output, head.name)
        lines.append(Line(f"{head.name}_true = {head.target}{text.removeprefix('y')}"))
    taken = {call.partition("(")[0] for head in heads for call in head.calls()}
    terms, losses, metrics = [], [], []
    updates: list[Line] = []
    for head in heads:
        log = f"{head.log}_loss"
        name = variable(log, taken)
        lines.append(Line(f"{name} = {put(head.loss.call, head, head.name)}"))
        terms.append(f"{head.weight} * {name}" if head.weight is not None else name)
        losses.append((log, name))
    extra = " + self.penalty()" if penalized else ""
    lines.append(Line(f"loss = {' + '.join(terms)}{extra}"))
    for head in heads:
        for metric in head.metrics:
            log = f"{head.prefix}{metric.log}"
            name = variable(log, taken)
            if metric.call is None:
                update = put(metric.update, head, head.activated)
                updates += updated(name, log, update, validating)
            else:
                lines.append(Line(f"{name} = {put(metric.call, head, head.activated)}"))
            metrics.append((log, name))
    own, updating = (
        tuple(Line(own_names(line.text, params)) for line in some) for some in (lines, updates)
    )
    return Step("x, y", own, (("loss", "loss"), *metrics), updating, tuple(losses))


def prediction(heads: Sequence[Head]) -> tuple[str | None, str]:
    """The line before the return of ``predict_step``, and what it returns."""
    if all(h.activated == h.name for h in heads):
        return None, "self(batch[0])"
    names = ", ".join(h.name for h in heads)
    return f"{names} = self(batch[0])", ", ".join(h.activated for h in heads)


def endings(heads: Sequence[Head]) -> str:
    """What is to be said of outputs that are logits."""
    return "; ".join(
        f"{h.name}: logits, the {h.loss.folded} is in the loss" for h in heads if h.loss.folded
    )
