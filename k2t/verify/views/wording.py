"""What the terminal and the page say about a Result, in the same words."""

from __future__ import annotations

import math

from k2t.verify.result import Cause, Divergence, Resources, Result, Run, Stage, State


def verdict(result: Result) -> str:
    """The whole result in a few words."""
    measured = [stage for run in result.runs for stage in run.stages]
    if all(stage.state is State.UNKNOWN for stage in measured):
        return "nothing could be compared"
    agreeing = [run for run in result.runs if run.agrees]
    if not agreeing:
        return "parts from Keras"
    words = "follows Keras"
    if all(run.double for run in agreeing):
        words += " in double precision; in float32 they part by rounding"
    elif all(run.neutralised for run in agreeing):
        words += " once the declared differences are taken out"
    return words


def unmeasured(result: Result) -> str:
    """How much of the run the verdict rests on was not measured; "" if nothing is missing."""
    run = decisive(result)
    if run is None:
        return ""
    missing = sum(stage.state is State.UNKNOWN for stage in run.stages)
    return f"{missing} of {count(len(run.stages), 'stage')} not measured" if missing else ""


def decisive(result: Result) -> Run | None:
    """The run that shows the most: the first that agrees, else the one with most taken out."""
    agreeing = [run for run in result.runs if run.agrees]
    return agreeing[0] if agreeing else result.runs[-1] if result.runs else None


def divergence(found: Divergence) -> str:
    """Where they part: "output of dense_1, before the first step: 3.1e-01; between: Flatten"."""
    where = f"{found.stage} of {found.layer}" if found.layer else found.stage
    if found.step is not None:
        where += f", step {found.step}"
    elif found.layer:  # layers are looked at one by one on the first batch, before training
        where += ", before the first step"
    elif not math.isfinite(found.size):  # something is missing: the stage says what
        return where
    between = f"; between: {', '.join(found.between)}" if found.between else ""
    return f"{where}: {number(found.size)}{between}"


def explain(cause: Cause) -> str:
    """The command that shows the rule page, "" for a cause without one."""
    return f"k2t explain {cause.code}" if cause.code else ""


def title(run: Run) -> str:
    """The run's title, with the codes of the differences that were taken out."""
    return ": ".join(part for part in (run.title, ", ".join(run.neutralised)) if part)


def unit(stage: Stage) -> str:
    """The unit of the figure and the limit, "" if they are relative or there are none."""
    return "" if stage.figure is None or stage.unit == "relative" else stage.unit


def figure(stage: Stage) -> str:
    return number(stage.figure, whole=stage.unit != "relative")


def limit(stage: Stage) -> str:
    return number(stage.limit, whole=stage.unit != "relative")


def number(value: float | None, *, whole: bool = False) -> str:
    """3.1e-07; 0 and counts (whole) without exponent; "" for None."""
    if value is None:
        return ""
    if value == 0 or (whole and math.isfinite(value) and value == int(value) < 1e6):
        return str(int(value))
    return f"{value:.1e}"


def resources(child: Resources) -> tuple[str, str]:
    """("12.3 s", "1.24 GB")."""
    minutes, seconds = divmod(child.seconds, 60)
    time = f"{int(minutes)} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"
    megabytes = child.memory / 1e6
    memory = f"{megabytes / 1000:.2f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"
    return time, memory


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
