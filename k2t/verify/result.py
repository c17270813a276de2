"""What `k2t verify` found out, as plain data: the terminal, JSON and HTML show nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Stage:
    """One thing compared. figure: the largest difference; limit: what is allowed (see `note`).

    Both are relative unless `unit` says otherwise; None where nothing could be measured. note:
    where the figure was found, or why there is none.
    """

    name: str
    state: State
    figure: float | None = None
    limit: float | None = None
    unit: str = "relative"
    note: str = ""


@dataclass(frozen=True)
class Divergence:
    """The first place where the two programs part, in the order in which they compute.

    layer: the first layer (or parameter) that differs, "" where none is to blame. between: classes
    of the layers that may have done it. step: training step from 0, None outside training.
    """

    stage: str
    layer: str
    between: tuple[str, ...]
    step: int | None
    size: float


@dataclass(frozen=True)
class Cause:
    """A likely reason. code: its rule page (`k2t explain`). evidence: what speaks for it, here."""

    title: str
    code: str
    evidence: str


@dataclass(frozen=True)
class Curve:
    """Losses of one fit, step by step, both sides; `sizes` of the batches."""

    keras: tuple[float, ...]
    torch: tuple[float, ...]
    control: tuple[float, ...]  # relative difference of the disturbed port to the port


@dataclass(frozen=True)
class Run:
    """The two programs run once: as they are, or with the declared differences taken out.

    double: in double precision, where nothing is left of a difference that is rounding.
    """

    title: str
    neutralised: tuple[str, ...]  # codes of the findings whose difference was taken out
    stages: tuple[Stage, ...]
    curves: tuple[Curve, ...]
    double: bool = False

    @property
    def agrees(self) -> bool:
        """Nothing that was measured differs, and something was measured."""
        states = {stage.state for stage in self.stages}
        return State.DIFFERS not in states and State.AGREES in states


@dataclass(frozen=True)
class Resources:
    """What one child took: seconds of wall clock, bytes of the largest resident set."""

    name: str
    seconds: float
    memory: int


@dataclass(frozen=True)
class Result:
    """A whole verification. declared: (code, message) of the differences k2t announces itself."""

    script: str
    port: str
    engine: str
    runs: tuple[Run, ...]
    declared: tuple[tuple[str, str], ...]
    divergence: Divergence | None
    causes: tuple[Cause, ...]
    resources: tuple[Resources, ...]

    @property
    def agrees(self) -> bool:
        """As it is, or with nothing but the declared differences taken out."""
        return any(run.agrees for run in self.runs)
