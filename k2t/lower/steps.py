"""The step of a module: loss and metrics of a batch, and what ``predict_step`` gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from k2t.ir.torch import Line, Optimizer, Step
from k2t.lower.initial import own_names
from k2t.lower.targets import target_text

if TYPE_CHECKING:
    from k2t.lower.model import Draft


WEIGHTED = {
    "mean": "(losses * weights[0]).mean() if weights else losses.mean()",
    "sum": "(losses * weights[0]).sum() if weights else losses.sum()",
    "weights": "(losses * weights[0]).sum() / weights[0].sum() if weights else losses.mean()",
}
"""The loss of a batch whose samples have weights, by how their losses are put together."""


def prediction_text(made: Draft) -> str:
    folded = made.loss.folded if made.loss is not None else None
    if folded == "softmax":
        one = made.output.shape is not None and len(made.output.shape) == 1
        dim = 1 if one and made.chain.masked is None else -1
        return f"self(batch[0]).softmax({dim})"
    return "self(batch[0]).sigmoid()" if folded == "sigmoid" else "self(batch[0])"


def build_step(made: Draft, penalized: bool, params: dict[str, str], validating: bool) -> Step:
    """Loss and metrics of a batch, in Keras's names and order."""
    loss, output = made.loss, made.output
    assert loss is not None
    raw = loss.prediction
    target = target_text(loss.target, made.y, output, raw)
    lines = [Line(f"{raw} = self(x)")]
    test = made.chain.masked
    if test is not None:
        lines = [
            Line("# padding counts neither in the loss nor in the metrics"),
            Line(f"mask = {test}"),
            Line(f"{raw}, y = self(x)[mask], y[mask]"),
        ]
    if target != "y":
        place = len(lines) if raw in target or test is not None else 0
        lines.insert(place, Line(f"y = {target}"))
    activated = raw
    if loss.folded == "softmax":
        dim = 1 if output.shape is not None and len(output.shape) == 1 else -1
        activated = f"{raw}.softmax({dim})"
    elif loss.folded == "sigmoid":
        activated = f"{raw}.sigmoid()"
    count = sum((m.call or m.update).count("{p}") for m in made.metrics)
    if count > 1 and activated != raw:
        lines.append(Line(f"y_pred = {activated}"))
        activated = "y_pred"
    extra = " + self.penalty()" if penalized else ""
    values = {"p": raw, "y": "y"}
    if made.weighted:
        lines.append(Line(f"losses = {put(loss.each, values)}"))
        weighted = WEIGHTED[loss.reduction]
        lines.append(Line(f"loss = ({weighted}){extra}" if extra else f"loss = {weighted}"))
    else:
        lines.append(Line(f"loss = {put(loss.call, values)}{extra}"))
    logs = [("loss", "loss")]
    # Keras 2.2 gives the mean of the batches by their rows, as Lightning does
    counted = test is not None and made.dialect != "keras2"
    means: list[tuple[str, str]] = []
    updates: list[Line] = []
    metric_values = {"p": activated, "raw": raw, "y": "y", "int": "y.int()"}
    taken = {"x", "y", "loss", "losses", "logs", "mask", raw}
    taken |= {c.partition("(")[0] for c in (loss.call, *(m.call for m in made.metrics)) if c}
    for metric in made.metrics:
        if metric.call is not None:
            name = variable(metric.log, taken)
            lines.append(Line(f"{name} = {put(metric.call, metric_values)}"))
            apart = metric.mean or counted
            (means if apart else logs).append((metric.log, name))
        else:
            name = variable(metric.log, taken)
            updates += updated(name, metric.log, put(metric.update, metric_values), validating)
            logs.append((metric.log, name))
    own = [Line(own_names(line.text, params), line.comment, line.comments) for line in lines]
    return Step(
        "x, y, *weights" if made.weighted else "x, y",
        tuple(own),
        tuple(logs),
        tuple(Line(own_names(line.text, params)) for line in updates),
        tuple(means),
        "len(y)" if counted else "1",
    )


def updated(name: str, log: str, update: str, validating: bool) -> list[Line]:
    """A metric that the module holds is given a batch; that of the validation is another one."""
    owner = f'getattr(self, f"{{prefix}}{log}")' if validating else f"self.{log}"
    return [Line(f"{name} = {owner}"), Line(f"{name}.update({update})")]


def variable(name: str, taken: set[str]) -> str:
    clean = name if name.isidentifier() else "value"
    return f"{clean}_value" if clean in taken else clean


def put(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def texts_of(
    step: Step | None, optimizer: Optimizer | None, penalty: Sequence[Line], made: Draft
) -> list[str]:
    texts = [line.text for line in penalty]
    if not made.chain.references:
        texts += [line.text for line in made.chain.lines]
    if step is not None:
        texts += [line.text for line in (*step.lines, *step.updates)] + [
            v for _, v in (*step.logs, *step.means)
        ]
    if optimizer is not None:
        texts += [line.text for line in (*optimizer.lines, *optimizer.hook)] + [optimizer.result]
    return texts
