"""Examines a pair: runs it, judges it, looks for the causes, and puts it all in a Result."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from k2t.ir.finding import Finding, Severity
from k2t.verify.evidence.causes import causes, causes_of_failure
from k2t.verify.failures import misfits, reason
from k2t.verify.judge import Limits, Verdict
from k2t.verify.neutral import neutralisers
from k2t.verify.probes.engines import TF_KERAS
from k2t.verify.recording import without_arrays
from k2t.verify.result import Cause, Curve, Divergence, Resources, Result, Run, Stage, State
from k2t.verify.run import CONTROLS, Comparison, ProbeFailed, Setting, run_pair

# (classes of Keras's optimizer, code): differences of rounding that need no announcement
ROUNDINGS = ((("Adam", "AdamW", "Nadam", "Adamax"), "K2T405", "Keras rounds Adam's correction"),)

# what double precision leaves of two programs that differ by rounding alone, and of a port
# disturbed in its last digits
DOUBLE = Path(__file__).parent / "probes" / "double.py"
DOUBLE_LIMITS = Limits(first_ten=1e-8, gradients=1e-8, update=1e-6, floor=1e-6)
DOUBLE_CONTROLS = (1e-14, 1e-13)
LARGEST_ROUNDING = 0.1
UPDATE = "weights after 1 step"
ROUNDING = Cause(
    "float32 rounds sums in another order", "", "in double precision the programs agree"
)


class Refused(Exception):
    """The verification cannot be made; the message is one sentence for the user."""


@dataclass(frozen=True)
class Subject:
    """What is verified. declared: what k2t says of the script. name: of the port, for people.

    batches: the port is a class that the harness trains on Keras's batches.
    """

    script: Path
    port: Path
    engine: str
    declared: tuple[Finding, ...]
    name: str = ""
    batches: bool = False


def examine(subject: Subject, setting: Setting, limits: Limits) -> Result:
    """Runs the pair as it is and, if k2t declares differences, with these taken out.

    Raises Refused where nothing can be said.
    """
    setting = replace(setting, engine=subject.engine, batches=subject.batches)
    text = subject.port.read_text(encoding="utf-8")
    try:
        plain = compared(subject, setting, limits)
    except ProbeFailed as error:
        if misfits(error):
            return misfit(subject, error)
        raise Refused(reason(error) + hints(error)) from error
    usable(plain, subject)
    stubs = neutralisers(taken_out(subject, plain))
    runs: list[tuple[Comparison, str, tuple[str, ...]]] = [(plain, "as it is", ())]
    if stubs:
        runs += calmed(subject, setting, limits, stubs)
    last = runs[-1][0]
    likely = causes(last, last.verdict.divergence, text) if last.verdict.divergence else ()
    runs = [(settled(run), title, codes) for run, title, codes in runs]
    plain, last = runs[0][0], runs[-1][0]
    failed: tuple[Cause, ...] = ()
    exact = None
    try:
        exact = in_double(subject, setting, last.verdict, stubs)
    except ProbeFailed as error:  # what a script fixes to float32 need not go with double
        failed = (Cause("the pass in double precision did not run", "", reason(error)),)
    if exact is not None:
        runs.append((exact, "in double precision", tuple(s.stem for s in stubs)))
    places = plain.verdict.divergence and (last.verdict.divergence or plain.verdict.divergence)
    gone = plain.verdict.divergence and not last.verdict.divergence
    taken = announced(subject, stubs) if gone else ()
    return Result(
        script=str(subject.script),
        port=subject.name or subject.port.name,
        engine=engine_name(subject.engine),
        runs=tuple(
            Run(title, c, run.verdict.stages, curves(run), run is exact) for run, title, c in runs
        ),
        declared=tuple(dict.fromkeys((f.code, f.message) for f in announced_by(subject))),
        divergence=places,
        causes=(ROUNDING,)
        if exact is not None and exact.verdict.passed
        else (*(likely or taken), *failed),
        resources=tuple(cost for run, _, c in runs for cost in costs(run, bool(c), run is exact)),
    )


def calmed(
    subject: Subject, setting: Setting, limits: Limits, stubs: tuple[Path, ...]
) -> list[tuple[Comparison, str, tuple[str, ...]]]:
    """The pair with the declared differences taken out, if that is worth a table.

    Raises Refused where a script does not run like this.
    """
    try:
        calm = compared(subject, replace(setting, stubs=(*setting.stubs, *stubs)), limits)
    except ProbeFailed as error:
        raise Refused(f"with the declared differences taken out, {reason(error)}") from error
    # roundings nobody announced are worth a table only if they were the reason
    if calm.verdict.passed or announced_by(subject):
        return [(calm, "without the declared differences", tuple(s.stem for s in stubs))]
    return []


def in_double(
    subject: Subject, setting: Setting, verdict: Verdict, stubs: tuple[Path, ...]
) -> Comparison | None:
    """The pair in double precision, where rounding may be all that parts it in float32.

    Gradients that are sums of terms that cancel (of a BatchNorm's shift, of a kernel met by
    thousands of positions) hold more of it than weights that are disturbed bring about.

    Raises ProbeFailed where a script does not run in it.
    """
    if DOUBLE in setting.stubs or not may_be_rounding(verdict):
        return None
    doubled = replace(setting, stubs=(*setting.stubs, DOUBLE, *stubs), draws=0)
    return compared(subject, doubled, DOUBLE_LIMITS, DOUBLE_CONTROLS)


def may_be_rounding(verdict: Verdict) -> bool:
    """It is small where it begins, and nothing differs that rounding does not touch.

    An optimizer that divides by the size of the gradients makes a whole step of what is left where
    they cancel (of a bias in front of a BatchNormalization).
    """
    failed = [stage for stage in verdict.stages if stage.state is State.DIFFERS]
    first = verdict.divergence
    small = first is not None and (first.size < LARGEST_ROUNDING or first.stage.endswith(UPDATE))
    return small and all(stage.figure and stage.name != "initial values" for stage in failed)


def settled(pair: Comparison) -> Comparison:
    """A comparison without the arrays that it was made from: the next pass needs the memory."""
    return replace(pair, keras=without_arrays(pair.keras), torch=without_arrays(pair.torch))


def hints(error: ProbeFailed) -> str:
    """What usually makes a port end like this."""
    found = causes_of_failure("\n".join(error.log)) if error.side == "port" else ()
    return "".join(f"; likely: {cause.title} (k2t explain {cause.code})" for cause in found[:2])


def compared(
    subject: Subject, setting: Setting, limits: Limits, controls: Sequence[float] = CONTROLS
) -> Comparison:
    return run_pair(subject.script, subject.port, setting, controls=controls, limits=limits)


def usable(pair: Comparison, subject: Subject) -> None:
    """Raises Refused for recordings that say nothing."""
    if not pair.keras.fits:
        raise Refused(f"{subject.script} never calls fit or train_on_batch: nothing is trained")
    if not pair.torch.fits:
        port = subject.name or subject.port.name
        raise Refused(f"{port} never calls Trainer.fit: nothing is trained")
    for fit in pair.keras.fits:
        bad = [step for step, loss in enumerate(fit.losses) if not math.isfinite(loss)]
        if bad:
            raise Refused(
                f"the loss of the original is {fit.losses[bad[0]]} from step {bad[0]} on: "
                "there is nothing to compare with"
            )


def taken_out(subject: Subject, plain: Comparison) -> set[str]:
    """The codes to neutralise: announced differences, and roundings where the pair parts."""
    codes = {f.code for f in subject.declared if f.severity is Severity.WARNING}
    if codes or not plain.verdict.passed:
        codes |= {finding.code for finding in subject.declared}
        used = {fit.facts.optimizer.get("class") for fit in plain.keras.fits}
        codes |= {code for classes, code, _ in ROUNDINGS if used & set(classes)}
    return codes


def misfit(subject: Subject, error: ProbeFailed) -> Result:
    """The two models have other parameters: the first stage, and the last."""
    lines = misfits(error)
    stage = Stage("parameters", State.DIFFERS, len(lines), 0, "misfits", "; ".join(lines[:5]))
    return Result(
        script=str(subject.script),
        port=subject.name or subject.port.name,
        engine=engine_name(subject.engine),
        runs=(Run("as it is", (), (stage,), ()),),
        declared=(),
        divergence=Divergence("parameters", lines[0], (), None, len(lines)),
        causes=(),
        resources=(),
    )


def announced_by(subject: Subject) -> list[Finding]:
    return [f for f in subject.declared if f.severity is Severity.WARNING]


def announced(subject: Subject, stubs: tuple[Path, ...]) -> tuple[Cause, ...]:
    """What k2t has declared, as the cause of what is gone when it is taken out."""
    taken = {stub.stem for stub in stubs}
    roundings = {code: message for _, code, message in ROUNDINGS}
    messages = roundings | {f.code: f.message for f in subject.declared}
    gone = "gone when it is taken out"
    return tuple(
        Cause(message, code, gone if code in roundings else f"declared by k2t, and {gone}")
        for code, message in messages.items()
        if code in taken
    )


def curves(pair: Comparison) -> tuple[Curve, ...]:
    steady = pair.control.fits if pair.control else ()
    return tuple(
        Curve(
            tuple(a.losses),
            tuple(b.losses),
            steady[number].losses if number < len(steady) else (),
        )
        for number, (a, b) in enumerate(zip(pair.keras.fits, pair.torch.fits, strict=False))
    )


def costs(pair: Comparison, neutral: bool, double: bool) -> list[Resources]:
    where = ", in double" if double else ", neutralised" if neutral else ""
    return [
        Resources(name + where, side.seconds, side.memory)
        for name, side in (("Keras", pair.keras), ("port", pair.torch))
    ]


def engine_name(engine: str) -> str:
    if engine in TF_KERAS:
        return "Keras 2 (tf-keras)"
    return "Keras 3" if engine == "keras3" else os.path.basename(engine)
