"""Judges a report: what agrees, what differs, and where the two programs part first.

A fixed tolerance over many steps means nothing for chaotic scripts, so float32's floor is asked for
in the first steps, and later no more than a factor of what the control shows: the port against
itself from disturbed weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from k2t.verify.compare import FIRST, DrawReport, FitReport, Report
from k2t.verify.result import Divergence, Stage, State
from k2t.verify.traces import TraceReport

# added to Keras's History by its own callbacks, not by the script
UNASKED = frozenset({"learning_rate", "lr"})


@dataclass(frozen=True)
class Limits:
    """What is demanded: relative differences, absolute ones of final weights.

    first_ten: of each of the first ten steps' losses and of all outputs of the first step.
    gradients: of the first step's, in which rounding adds up over all layers above. update: of the
    weights' first change. factor: how many times the control's difference is
    allowed; floor: what is always allowed after the first steps. allow: own limits of epoch values
    by name, for declared differences ("val_" of a name goes with it), of "step losses", "final
    weights", "evaluate", "predict" and of the script's variables. variables: the names of those
    that are judged.
    """

    first_ten: float = 1e-5
    gradients: float = 1e-4
    update: float = 1e-2
    factor: float = 5.0
    floor: float = 1e-4
    allow: Mapping[str, float] = field(default_factory=dict)
    variables: tuple[str, ...] = ()


LIMITS = Limits()


@dataclass(frozen=True)
class Verdict:
    """Whether the second recording follows the first, stage by stage, and where they part first."""

    stages: tuple[Stage, ...]
    divergence: Divergence | None

    @property
    def failures(self) -> tuple[str, ...]:
        """What differs, with figure and limit."""
        return tuple(describe(stage) for stage in self.stages if stage.state is State.DIFFERS)

    @property
    def passed(self) -> bool:
        return not self.failures

    def __str__(self) -> str:
        return "\n".join(self.failures) or "follows"


def describe(stage: Stage) -> str:
    if stage.figure is None or stage.limit is None:
        return f"{stage.name}: {stage.note}"
    note = f" ({stage.note})" if stage.note else ""
    return f"{stage.name}: {stage.figure:.1e}, at most {stage.limit:.1e}{note}"


def verdict(report: Report, control: Report | None, limits: Limits = LIMITS) -> Verdict:
    """Judges a report; `control` is the port's against itself, None if it was not run."""
    judge = Judge(report, control, limits)
    judged = list(judge.all())
    places = [place for stage, place in judged if stage.state is State.DIFFERS]
    return Verdict(tuple(stage for stage, _ in judged), places[0] if places else None)


Judged = tuple[Stage, Divergence]


@dataclass(frozen=True)
class Judge:
    """A report, its control and the limits: what all stages are made of."""

    report: Report
    control: Report | None
    limits: Limits

    def all(self) -> Iterator[Judged]:
        """The stages in the order in which the programs compute."""
        for kind, problem in self.report.problems.items():
            if kind not in self.limits.allow:
                yield differs(kind, problem)
        for number, fit in enumerate(self.report.fits):
            prefix = f"fit {number + 1}: " if len(self.report.fits) > 1 else ""
            for stage, place in self.fit(fit, self.steady(number)):
                yield rename(stage, prefix), rename_place(place, prefix)
        yield from self.outputs()
        yield from self.draws()
        chaos = self.control.variables if self.control else {}
        for name in self.limits.variables:
            value = self.report.variables.get(name, math.inf)
            yield self.demand(name, value, chaos.get(name, 0.0), prefix="variable ")

    def steady(self, number: int) -> FitReport | None:
        """The control's report on the same fit."""
        fits = self.control.fits if self.control else ()
        return fits[number] if number < len(fits) else None

    # ------------------------------------------------------------------------------- the first step

    def fit(self, fit: FitReport, steady: FitReport | None) -> Iterator[Judged]:
        note = f"{fit.layers} layers, {fit.values} values: all have their place"
        yield made("parameters", 0.0, 0.0, note, unit="misfits")
        if fit.trace is not None:
            calm = steady.trace if steady else None
            yield from self.forward(fit.trace, calm)
            yield self.at_step(fit, steady, "loss of the first step", 0, 1)
            yield self.parameters("gradients", fit.trace.gradients, calm, self.limits.gradients)
            yield self.parameters(
                "weights after 1 step", fit.trace.update, calm, self.limits.update
            )
        yield self.at_step(fit, steady, "first ten losses", 0, FIRST)
        yield from self.rest(fit, steady)

    def forward(self, trace: TraceReport, calm: TraceReport | None) -> Iterator[Judged]:
        """The output in eval mode, and the first layer that differs."""
        own = calm.layers if calm else ()
        worst = (0.0, self.limits.first_ten, "")
        first: Judged | None = None
        for number, layer in enumerate(trace.layers):
            steady = own[number].difference if number < len(own) else 0.0
            limit = self.early(steady)
            where = f"{layer.side} of {layer.name}"
            if layer.difference > limit and first is None:
                first = made(
                    "layer by layer", layer.difference, limit, where,
                    Divergence(layer.side, layer.name, layer.between, None, layer.difference),
                )  # fmt: skip
            worst = max(worst, (layer.difference, limit, where))
        if first is not None:
            yield first
        elif trace.layers:
            note = f"{len(trace.layers)} places, most at {worst[2]}" if worst[2] else ""
            yield made("layer by layer", worst[0], worst[1], note)
        else:
            yield unknown("layer by layer", trace.problem or "no layer could be compared")
        if trace.output is None:
            yield unknown("forward", trace.problem or "the output could not be had")
        else:
            steady = calm.output or 0.0 if calm else 0.0
            yield made("forward", trace.output, self.early(steady), trace.note)

    def parameters(
        self, name: str, values: Mapping[str, float], calm: TraceReport | None, floor: float
    ) -> Judged:
        """Of several parameters that differ the last is named: gradients come from behind."""
        if not values:
            return unknown(name, "not seen")
        steady = {} if calm is None else calm.gradients if name == "gradients" else calm.update
        limits = {p: max(floor, self.limits.factor * steady.get(p, 0.0)) for p in values}
        wrong = [p for p, value in values.items() if not value <= limits[p]]
        worst = wrong[-1] if wrong else max(values, key=lambda p: values[p] / limits[p])
        size = values[worst]
        note = f"{len(wrong)} of {len(values)} parameters, {worst}" if wrong else worst
        return made(name, size, limits[worst], note, Divergence(name, worst, (), 0, size))

    def early(self, own: float) -> float:
        return max(self.limits.first_ten, self.limits.factor * own)

    def at_step(
        self, fit: FitReport, steady: FitReport | None, name: str, start: int, stop: int
    ) -> Judged:
        """The first steps are not chaotic yet, unless the control says so."""
        losses = fit.losses[start:stop]
        limit = self.early(max(steady.losses[start:stop], default=0.0) if steady else 0.0)
        return self.steps(name, losses, limit, start)

    def steps(self, name: str, losses: tuple[float, ...], limit: float, start: int) -> Judged:
        size = max(losses, default=0.0)
        wrong = [start + i for i, loss in enumerate(losses) if not loss <= limit]
        if not losses:
            return unknown(name, "no steps")
        note = f"from step {wrong[0]}" if wrong else ""
        return made(name, size, limit, note, Divergence("loss", "", (), (wrong or [0])[0], size))

    # ------------------------------------------------------------------------------ all other steps

    def rest(self, fit: FitReport, steady: FitReport | None) -> Iterator[Judged]:
        limit = self.limit("step losses", 0.0)
        if len(fit.losses) > FIRST or "step losses" in self.limits.allow:
            yield self.steps("step losses", fit.losses, limit, 0)
        running = steady.running if steady else {}
        for name, value in fit.running.items():
            yield self.demand(name, value, running.get(name, 0.0), prefix="running ")
        own = steady.metrics if steady else {}
        for name, value in fit.metrics.items():
            yield self.demand(name, value, own.get(name, 0.0), prefix="epoch ")
        stage, place = self.demand("final weights", fit.weights, steady.weights if steady else 0.0)
        note = fit.worst_weight if stage.state is State.DIFFERS else ""
        place = Divergence("final weights", fit.worst_weight, (), fit.steps[0] - 1, fit.weights)
        yield Stage(stage.name, stage.state, stage.figure, stage.limit, "absolute", note), place
        yield from self.counts(fit, steady)

    def counts(self, fit: FitReport, steady: FitReport | None) -> Iterator[Judged]:
        """Steps, batches and names. Early stopping may move where the control stops elsewhere."""
        same_end = steady is None or steady.steps[0] == steady.steps[1]
        if fit.steps[0] != fit.steps[1] and same_end:
            yield differs("steps", f"{fit.steps[0]} and {fit.steps[1]} steps")
        if fit.epochs[0] != fit.epochs[1] and same_end:
            yield differs("epochs", f"{fit.epochs[0]} and {fit.epochs[1]} epochs")
        if fit.sizes_differ_at is not None:
            yield differs("batches", f"batch sizes differ from step {fit.sizes_differ_at}")
        missing = [name for name in fit.missing if name not in UNASKED]
        if missing:
            yield differs("names", f"epoch values that only Keras has: {', '.join(missing)}")

    def outputs(self) -> Iterator[Judged]:
        steady = self.control.outputs if self.control else ()
        several = len(self.report.outputs) > 1
        for number, output in enumerate(self.report.outputs):
            own = steady[number].difference if number < len(steady) else 0.0
            prefix = f"output {number + 1}: " if several else ""
            if output.problem:
                yield differs(prefix + output.call, output.problem)
            else:
                yield self.demand(output.call, output.difference, own, prefix=prefix)

    def draws(self) -> Iterator[Judged]:
        """The initial values as one stage; the first that are drawn differently are named."""
        draws = self.report.draws
        wrong = [draw for draw in draws if not draw.same]
        for draw in wrong:
            stage, _ = made("initial values", draw.distance, draw.limit, drawn(draw))
            yield stage, Divergence("initial values", draw.name, (), None, draw.distance)
        if draws and not wrong:
            worst = max(draws, key=lambda draw: draw.distance)
            yield made(
                "initial values", worst.distance, worst.limit, f"{len(draws)} parameters",
                unit="Kolmogorov-Smirnov distance",
            )  # fmt: skip

    def demand(self, name: str, value: float, own: float, prefix: str = "") -> Judged:
        """`own`: the control's difference of the same figure."""
        return made(prefix + name, value, self.limit(name, own))

    def limit(self, name: str, own: float) -> float:
        wild = self.control.overall if self.control else 0.0
        most = max(self.limits.floor, self.limits.factor * max(own, wild))
        allow = self.limits.allow
        return allow.get(name.removeprefix("val_"), allow.get(name, most))


def drawn(draw: DrawReport) -> str:
    return (
        f"{draw.name}: std ratio {draw.std_ratio:.3f}, means {draw.means[0]:.1e} "
        f"{draw.means[1]:.1e}, largest {draw.bounds[0]:.3g} {draw.bounds[1]:.3g}"
    )


def made(
    name: str,
    figure: float,
    limit: float,
    note: str = "",
    place: Divergence | None = None,
    unit: str = "relative",
) -> Judged:
    """A stage that was measured. place: what is named if it is the first to differ."""
    state = State.AGREES if figure <= limit else State.DIFFERS
    stage = Stage(name, state, figure, limit, unit, note)
    return stage, place or Divergence(name, "", (), None, figure)


def differs(name: str, note: str) -> Judged:
    stage = Stage(name, State.DIFFERS, note=note)
    return stage, Divergence(f"{name}: {note}", "", (), None, math.inf)


def unknown(name: str, note: str) -> Judged:
    return Stage(name, State.UNKNOWN, note=note), Divergence(name, "", (), None, 0.0)


def rename(stage: Stage, prefix: str) -> Stage:
    return Stage(
        prefix + stage.name, stage.state, stage.figure, stage.limit, stage.unit, stage.note
    )


def rename_place(place: Divergence, prefix: str) -> Divergence:
    return Divergence(prefix + place.stage, place.layer, place.between, place.step, place.size)
