"""The table of planted pitfalls in README.md: are they found, and is the right cause named?

python -m tests.pitfalls              prints it
python -m tests.pitfalls --readme     writes it into README.md
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from k2t.verify.evidence.causes import causes, causes_of_failure
from k2t.verify.result import Cause
from k2t.verify.run import Comparison, ProbeFailed, Setting, run_pair
from k2t.verify.views import wording
from tests.conftest import LAUNCH
from tests.verify.pitfalls.planted import PITFALLS, Pitfall

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
PLACE = re.compile(r"(<!-- pitfalls -->\n).*?(<!-- /pitfalls -->\n)", re.S)
NAMED = 2  # the right cause has to be among so many
HEAD = """\
| rank | planted | parts at | causes named first | explained |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """What verification said about one planted pitfall. place: "" if it was not detected."""

    pitfall: Pitfall
    place: str
    causes: tuple[Cause, ...]

    @property
    def detected(self) -> bool:
        return bool(self.place)

    @property
    def explained(self) -> bool:
        return any(self.pitfall.expected in cause.title for cause in self.causes[:NAMED])


def verify(pair: str, cache: Path, edits: Iterable[tuple[str, str]] = ()) -> Comparison:
    """Runs a pair with edits in the port, without a control: its scripts are short and tame.

    Raises ProbeFailed.
    """
    folder = HERE / "verify" / pair
    setting = Setting(launch=LAUNCH, draws=5, trace=True, cache=cache)
    return run_pair(
        folder / "before.py",
        folder / "after.py",
        setting,
        edits_after=tuple(edits),
        controls=(),
    )


def ported(pair: str, edits: Iterable[tuple[str, str]]) -> str:
    """The text of the port, edited."""
    text = (HERE / "verify" / pair / "after.py").read_text(encoding="utf-8")
    for old, new in edits:
        text = text.replace(old, new)
    return text


def measure(pitfall: Pitfall, cache: Path) -> Row:
    """Plants one pitfall and asks where the programs part, and why.

    Raises ProbeFailed where a script stops that should run: that is no detection.
    """
    try:
        found = verify(pitfall.pair, cache, pitfall.edits)
    except ProbeFailed as failure:
        if failure.side != "port" or not pitfall.raises:
            raise
        return Row(pitfall, error(failure), causes_of_failure("\n".join(failure.log)))
    divergence = found.verdict.divergence
    if divergence is None:
        return Row(pitfall, "", ())
    named = causes(found, divergence, ported(pitfall.pair, pitfall.edits))
    return Row(pitfall, wording.divergence(divergence), named)


def check_pairs(cache: Path) -> None:
    """Without a pitfall every pair runs and follows Keras; else the table would say nothing."""
    for pair in sorted({pitfall.pair for pitfall in PITFALLS}):
        found = verify(pair, cache)
        if not found.verdict.passed:
            raise SystemExit(f"{pair} does not follow Keras:\n{found.verdict}")


def error(failure: ProbeFailed) -> str:
    """The class of the exception that ended the port."""
    names = [re.match(r"(?:\w+\.)*(\w+(?:Error|Exception))\b", line) for line in failure.log]
    return "the port stops: " + next((name[1] for name in reversed(names) if name), "an error")


def table(rows: Iterable[Row]) -> str:
    return HEAD + "".join(f"{line}\n" for line in lines(rows))


def lines(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        named = "; ".join(
            f"{number}. {cause.title}" + (f" ({cause.code})" if cause.code else "")
            for number, cause in enumerate(row.causes[:NAMED], start=1)
        )
        cells = (
            str(row.pitfall.rank),
            row.pitfall.title,
            row.place or "not detected",
            named or "none",
            "yes" if row.explained else "no",
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def summary(rows: Iterable[Row]) -> tuple[int, int, int]:
    """(ranks, those detected, those explained): a rank counts if all its rows do."""
    rows = list(rows)
    ranks = {row.pitfall.rank for row in rows}
    detected = ranks - {row.pitfall.rank for row in rows if not row.detected}
    explained = ranks - {row.pitfall.rank for row in rows if not row.explained}
    return len(ranks), len(detected), len(explained)


def section(rows: list[Row]) -> str:
    """The table with its summary, as it stands in README.md."""
    ranks, detected, explained = summary(rows)
    return (
        f"{table(rows)}\n{detected} of {ranks} detected, {explained} of {ranks} with the right "
        f"cause among the first {NAMED} (a rank counts if all its rows do).\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        check_pairs(Path(name))
        text = section([measure(pitfall, Path(name)) for pitfall in PITFALLS])
    if not options.readme:
        print(text, end="")
        return
    readme = README.read_text(encoding="utf-8")
    if not PLACE.search(readme):
        raise SystemExit("README.md has no <!-- pitfalls --> and <!-- /pitfalls --> lines")
    README.write_text(PLACE.sub(lambda m: m[1] + text + m[2], readme), encoding="utf-8")


if __name__ == "__main__":
    main()
