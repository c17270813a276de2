"""What ``migrate`` and ``check`` do with the files they are given."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from k2t import files
from k2t.__main__ import mentions_keras
from k2t.files import STDIN, STDOUT
from k2t.ir.finding import Severity
from k2t.ir.source import Source, Span
from k2t.parse.script import Unreadable, decode, line_starts
from k2t.report import outcome as report
from k2t.report import text
from k2t.report.outcome import Outcome, Status
from k2t.settings import line_length
from k2t.version import __version__

if TYPE_CHECKING:
    from k2t.pipeline import Migration


def migrate(arguments: argparse.Namespace) -> int:
    """Write script_lightning.py beside each Keras training script."""
    items = files.inputs(arguments.paths)
    into_folder = output_is_folder(arguments, items)
    stdout = arguments.diff or arguments.output == STDOUT
    stdout = stdout or (STDIN in arguments.paths and arguments.output is None)
    written: set[str] = set()
    together = projects(arguments, items, into_folder)

    def one(item: files.Input, data: bytes) -> Outcome:
        output = destination(arguments, item, into_folder)
        through = output is None and not arguments.diff
        if item.path not in together and not mentions_keras(data):
            return untouched(item, data, through)
        paths = [other.path for other in items]
        migration = together.get(item.path) or alone(arguments, item, data, paths)
        findings = tuple(report.locate(f, migration.source) for f in migration.findings)
        left = any(f.severity is Severity.ERROR for f in migration.findings)
        done = Outcome(
            item.shown, Status.LEFT if left else Status.MIGRATED, findings, None, migration.dialect
        )
        if migration.text is None or migration.text == migration.source.text:
            untouched(item, data, through)
            return done if left else replace(done, status=Status.UNTOUCHED)
        if arguments.diff:
            emit(encoded(migration, diff(migration, output or item.shown)))
        elif output is None:
            emit(encoded(migration, migration.text))
        else:
            refusal = refuse(arguments, item, output, written)
            if refusal:
                return Outcome(item.shown, Status.FAILED, (report.at("K2T992", refusal),))
            if into_folder:
                os.makedirs(os.path.dirname(output), exist_ok=True)
            files.write(output, encoded(migration, migration.text), like=item.path)
            written.add(os.path.realpath(output))
            done = replace(done, output=output)
        return done

    return run(items, one, arguments.report, sys.stderr if stdout else sys.stdout)


def alone(
    arguments: argparse.Namespace, item: files.Input, data: bytes, given: Sequence[str]
) -> Migration:
    """A script by itself."""
    from k2t import pipeline

    done = pipeline.migrate(
        data,
        item.shown,
        dialect=arguments.dialect,
        fidelity=arguments.fidelity,
        line_length=line_length(item.path),
    )
    if item.path == STDIN or done.text is None:
        return done
    from k2t.project.members import not_followed

    missing = not_followed(item.path, data, given)
    return replace(done, findings=(*done.findings, *missing))


def projects(
    arguments: argparse.Namespace, items: list[files.Input], into_folder: bool
) -> dict[str, Migration]:
    """The files that import layers or models from other given ones, and these, by their paths."""
    if len(items) < 2:
        return {}
    given: dict[str, bytes] = {}
    for item in items:
        try:
            given[item.path] = item.read()
        except OSError:
            continue  # said where the file itself is read
    holds = {path: mentions_keras(data) for path, data in given.items()}
    from k2t.project import migrate as project
    from k2t.project.joined import Apart
    from k2t.project.members import groups

    by_path = {item.path: item for item in items}
    outputs = {
        path: os.path.splitext(os.path.basename(str(destination(arguments, item, into_folder))))[0]
        for path, item in by_path.items()
    }
    found: dict[str, Migration] = {}
    for members in groups(given, holds):
        paths = [member.path for member in members]
        try:
            done = project.migrate(
                members,
                outputs,
                dialect=arguments.dialect,
                fidelity=arguments.fidelity,
                line_length=line_length(paths[-1]),
            )
        except Apart as error:
            found[paths[-1]] = project.left(members[-1], error)
            continue
        clash = next(
            (p for p, m in zip(paths, done, strict=True) if differs(found.get(p), m)), None
        )
        if clash is not None:
            message = f"{clash} becomes another text for another script that imports it"
            apart = Apart(message, paths[-1], Span(0, 0))
            found[paths[-1]] = project.left(members[-1], apart)
            continue
        found |= dict(zip(paths, done, strict=True))
    return found


def differs(one: Migration | None, other: Migration) -> bool:
    return one is not None and one.text != other.text


def check(arguments: argparse.Namespace) -> int:
    """Tell which files hold Keras training code, and what k2t has to say about it."""

    def one(item: files.Input, data: bytes) -> Outcome:
        if not mentions_keras(data):
            return Outcome(item.shown, Status.UNTOUCHED)
        from k2t import pipeline

        findings = pipeline.check(data, item.shown, dialect=arguments.dialect)
        if not findings:
            return Outcome(item.shown, Status.UNTOUCHED)
        decoded, _, _ = decode(data)
        source = Source(item.shown, decoded, line_starts(decoded), ())
        located = tuple(report.locate(finding, source) for finding in findings)
        return Outcome(item.shown, Status.FOUND, located)

    return run(files.inputs(arguments.paths), one, arguments.report, sys.stdout)


def run(
    items: list[files.Input],
    one: Callable[[files.Input, bytes], Outcome],
    report_path: str | None,
    stream: TextIO,
) -> int:
    """Do one file after the other, print what there is to say, and return the exit status."""
    outcomes = []
    for item in items:
        outcome = guarded(item, one)
        outcomes.append(outcome)
        for line in text.lines(outcome):
            print(line, file=stream)
    status = report.exit_status(outcomes)
    if report_path is not None:
        from k2t.report.json import text as json_text

        try:
            files.write(report_path, json_text(outcomes, __version__).encode())
        except OSError as error:
            print(f"k2t: {report_path} cannot be written: {error.strerror}", file=sys.stderr)
            status = 2
    print(text.summary(outcomes), file=sys.stderr)
    return status


def guarded(item: files.Input, one: Callable[[files.Input, bytes], Outcome]) -> Outcome:
    """One bad file does not stop the others, and no traceback reaches the user."""
    try:
        data = item.read()
    except OSError as error:
        return failed(item, "K2T990", f"cannot be read: {error.strerror or error}")
    try:
        return one(item, data)
    except Unreadable as error:
        return failed(item, "K2T991", error.message, error.line, error.column)
    except BrokenPipeError:
        raise
    except OSError as error:
        return failed(item, "K2T992", f"the output cannot be written: {error.strerror or error}")
    except Exception as error:
        if os.environ.get("K2T_DEBUG"):
            traceback.print_exc()
        return failed(item, "K2T999", internal(error))


def internal(error: Exception) -> str:
    """One line about an error of k2t's own."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(f"{type(error).__name__}: {error}".split())
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    return f"internal error: {words} ({where}); please report"


def failed(item: files.Input, code: str, message: str, line: int = 1, column: int = 1) -> Outcome:
    return Outcome(item.shown, Status.FAILED, (report.at(code, message, line, column),))


def untouched(item: files.Input, data: bytes, through: bool) -> Outcome:
    """Nothing to migrate: nothing is written, but a filter hands its input on."""
    if through:
        emit(data)
    return Outcome(item.shown, Status.UNTOUCHED)


def output_is_folder(arguments: argparse.Namespace, items: list[files.Input]) -> bool:
    """Whether ``-o`` names a folder; leaves with status 2 where the options make no sense."""
    error = arguments.parser.error
    output = arguments.output
    several = len(items) != 1 or os.path.isdir(arguments.paths[0])
    if STDIN in arguments.paths:
        if several:
            error("stdin (-) goes alone")
        if arguments.in_place:
            error("stdin (-) cannot be changed in place")
    if output == STDOUT:
        if several:
            error("stdout (-o -) takes one script")
        return False
    folder = output is not None and (several or os.path.isdir(output) or output.endswith("/"))
    if folder and STDIN in arguments.paths:
        error(f"{output} is a folder; the output of stdin (-) needs a file name")
    if folder and os.path.isfile(output):
        error(f"{output} is a file; several scripts need a folder")
    return folder


def destination(arguments: argparse.Namespace, item: files.Input, folder: bool) -> str | None:
    """The path a script is written to; None for stdout."""
    if arguments.in_place:
        return item.path
    if folder:
        return os.path.join(arguments.output, files.output_name(item.below))
    if arguments.output == STDOUT:
        return None
    if arguments.output is not None:
        return str(arguments.output)
    return None if item.path == STDIN else files.output_name(item.path)


def refuse(
    arguments: argparse.Namespace, item: files.Input, output: str, written: set[str]
) -> str | None:
    """Why an output may not be written, if it may not."""
    if arguments.in_place:
        return None
    if os.path.realpath(output) == os.path.realpath(item.path):
        return "the output is the script itself; --in-place overwrites it"
    if os.path.realpath(output) in written:
        return f"{output} is the output of another script too"
    if os.path.lexists(output) and not arguments.force:
        return f"{output} exists; --force overwrites it"
    return None


def encoded(migration: Migration, content: str) -> bytes:
    """Text in the encoding and with the line ends of the script."""
    return content.replace("\n", migration.newline).encode(migration.encoding)


def diff(migration: Migration, output: str) -> str:
    """A unified diff from the script to what it becomes."""
    import difflib
    import io

    before, after = (list(io.StringIO(t)) for t in (migration.source.text, migration.text or ""))
    changes = difflib.unified_diff(before, after, migration.source.path, output)
    return "".join(
        c if c.endswith("\n") else f"{c}\n\\ No newline at end of file\n" for c in changes
    )


def emit(data: bytes) -> None:
    """Bytes to stdout, after what was printed before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
