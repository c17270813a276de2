"""A Result in the terminal, and how far its children are while they run.

Plain text first: without colours, in 80 columns and in a pipe nothing is lost, for colour only
repeats what a word says.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from k2t.verify.result import Cause, Result, Run, State
from k2t.verify.views import wording

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

Tell = Callable[[str, int, int], None]

COLOURS = {State.AGREES: "green", State.DIFFERS: "bold red", State.UNKNOWN: "yellow"}
# only a rule under the heads, of characters that every encoding has
BOX = ["    ", "    ", " -- ", "    ", "    ", "    ", "    ", "    "]


def show(result: Result, stream: TextIO | None = None) -> None:
    """Writes the result (default: to stdout), coloured and as wide as the terminal if it is one."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        stream.write(text(result, colour=False, width=80))
        return
    colour = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    stream.write(text(result, colour=colour, width=shutil.get_terminal_size().columns))


def text(result: Result, *, colour: bool, width: int) -> str:
    """The result as lines, none longer than `width`, the last one with the verdict.

    colour: with escape codes; without them it is plain text.
    """
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        force_jupyter=False,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as capture:
        for part in _parts(result):
            console.print(part, overflow="fold")
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


@contextmanager
def progress(stream: TextIO | None = None) -> Iterator[Tell]:
    """Gives `tell(name, done, total)`: shows one line a name, "Keras: step 12 of 50".

    total 0: not known yet. Any thread may call it. The lines are on stderr, go at the end, and are
    not shown at all if that is no terminal.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda name, done, total: None
        return
    with _bars(stream) as tell:
        yield tell


@contextmanager
def _bars(stream: TextIO) -> Iterator[Tell]:
    from threading import Lock

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=Console(file=stream, no_color="NO_COLOR" in os.environ),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    tasks: dict[str, TaskID] = {}
    lock = Lock()

    def tell(name: str, done: int, total: int) -> None:
        words = f"{_clean(name)}: step {done} of {total}" if total else f"{_clean(name)}: starting"
        with lock:
            if name not in tasks:
                tasks[name] = bars.add_task(words, total=None)
            bars.update(tasks[name], description=words, completed=done, total=total or None)

    with bars:
        yield tell


def _parts(result: Result) -> Iterator[RenderableType]:
    """What is printed, one below the other."""
    heading = f"{result.script} and {result.port}, {result.engine}"
    yield _line(heading, "bold")
    for run in result.runs:
        yield ""
        yield _line(wording.title(run), "bold")
        yield _stages(run) if run.stages else _line("nothing was compared")
    if result.divergence:
        yield ""
        yield _line("first divergence: ", "bold", wording.divergence(result.divergence))
    if result.causes:
        yield ""
        yield _line("likely causes", "bold")
        yield from map(_cause, result.causes)
    if result.declared:
        yield ""
        yield _line("declared differences", "bold")
        yield _grid([(code, message) for code, message in result.declared])
    if result.resources:
        yield ""
        yield _line("time and memory", "bold")
        yield _grid([(r.name, *wording.resources(r)) for r in result.resources], figures=True)
    yield ""
    if wording.unmeasured(result):
        yield _line(wording.unmeasured(result))
    words = wording.verdict(result)
    good = words.startswith("follows")
    yield _line("verdict: ", "", words, "bold green" if good else "bold red")


def _stages(run: Run) -> Table:
    from rich.box import Box
    from rich.console import Group
    from rich.table import Table

    table = Table(box=Box("\n".join(BOX) + "\n", ascii=True), show_edge=False, header_style="dim")
    table.add_column("stage", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    for stage in run.stages:
        name = _line(stage.name, "", f" ({wording.unit(stage)})" if wording.unit(stage) else "")
        state = _line(stage.state.value, COLOURS[stage.state])
        # below its name: beside the figures there is no room for it in 80 columns
        note = _padded(_line(stage.note, "dim")) if stage.note else ""
        table.add_row(
            Group(name, note) if note else name, state, wording.figure(stage), wording.limit(stage)
        )
    return table


def _grid(rows: list[tuple[str, ...]], figures: bool = False) -> Table:
    """Aligned columns under a heading; figures: all but the first column are to the right."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    for _ in rows[0][1:]:
        table.add_column(justify="right" if figures else "left", overflow="fold")
    for row in rows:
        table.add_row("", *map(_line, row))
    return table


def _cause(cause: Cause) -> RenderableType:
    about = ": ".join(part for part in (cause.title, cause.evidence) if part)
    command = wording.explain(cause)
    return _padded(_line(f"{about}\n{command}" if command else about))


def _padded(line: Text) -> RenderableType:
    from rich.padding import Padding

    return Padding(line, (0, 0, 0, 2))


def _line(*parts: str) -> Text:
    """Text and style in turn; styles may be left out at the end."""
    from rich.text import Text

    line = Text()
    for words, style in zip(parts[::2], [*parts[1::2], ""], strict=False):
        line.append(_clean(words), style)
    return line


def _clean(text: str) -> str:
    """Names of files and layers are the user's: nothing in them may steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
