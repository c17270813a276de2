"""`k2t verify`: runs a Keras script and its port, and tells whether and where they part."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import rich  # noqa: F401  (what shows the result: missing, it is told before anything runs)

from k2t import files
from k2t.__main__ import mentions_keras
from k2t.commands import internal
from k2t.ir.finding import Severity
from k2t.parse.script import Unreadable
from k2t.pipeline import Migration, migrate
from k2t.project import migrate as project
from k2t.project.joined import Apart
from k2t.project.members import around, groups
from k2t.verify.examine import DOUBLE, Refused, Subject, examine
from k2t.verify.judge import Limits
from k2t.verify.launch import Launch, nurseries
from k2t.verify.result import Result
from k2t.verify.run import Setting

HERE = Path(__file__).parent
DRAWS = 3  # seeds of the free run
DIALECT_ENGINES = {"keras2": "keras2", "tf_keras": "tf_keras", "keras3": "keras3"}
SYNTHETIC = HERE / "standins" / "synthetic.py"
PLOTS = HERE / "standins" / "plots.py"


def verify(arguments: argparse.Namespace) -> int:
    """Exit status: 0 they agree, 1 they part, 2 it could not be found out."""
    from k2t.verify.views import show

    script = Path(arguments.script)
    with tempfile.TemporaryDirectory() as folder:
        try:
            subject = prepare(arguments, script, Path(folder))
            with show.progress() as tell, nurseries() as launch:
                setting = setting_of(arguments, tell, launch)
                result = examine(subject, setting, limits_of(arguments))
        except Refused as error:
            print(f"k2t: {error}", file=sys.stderr)
            return 2
    show.show(result)
    return write(arguments, result) or (0 if result.agrees else 1)


def write(arguments: argparse.Namespace, result: Result) -> int:
    """Writes the reports that were asked for; 2 if one could not be written."""
    from k2t.verify.views import page, result_json

    limits, status = limits_of(arguments), 0
    reports = (
        (arguments.json, result_json.text),
        (arguments.html, lambda result: page.html(result, limits)),
    )
    for path, content in reports:
        if path is None:
            continue
        try:
            files.write(path, content(result).encode())
        except OSError as error:
            print(f"k2t: {path} cannot be written: {error.strerror}", file=sys.stderr)
            status = 2
    return status


def setting_of(
    arguments: argparse.Namespace, tell: Callable[[str, int, int], None], launch: Launch
) -> Setting:
    stubs = [SYNTHETIC, PLOTS] if arguments.data == "synthetic" else [PLOTS]
    stubs += [DOUBLE] if arguments.float64 else []
    return Setting(
        stubs=tuple(stubs),
        draws=DRAWS,
        steps=arguments.steps,
        epochs=arguments.epochs or 0,
        trace=True,
        arguments=tuple(shlex.split(arguments.arguments)),
        timeout=arguments.timeout,
        launch=launch,
        tell=lambda title, steps: tell(title, steps, arguments.steps),
    )


def limits_of(arguments: argparse.Namespace) -> Limits:
    if arguments.tolerance is None:
        return Limits()
    floor = max(Limits.floor, 10 * arguments.tolerance)
    return Limits(first_ten=arguments.tolerance, floor=floor)


# ------------------------------------------------------------------------------------ what is run


def prepare(arguments: argparse.Namespace, script: Path, folder: Path) -> Subject:
    """Migrates the script, for what k2t declares, and as the port if there is no other."""
    migration, beside = together(script, arguments.dialect)
    declared = migration.findings
    engine = arguments.keras or DIALECT_ENGINES[migration.dialect]
    if arguments.port is not None:
        path, _, name = arguments.port.rpartition(":")
        if path and name.isidentifier():
            port = harnessed(arguments, Path(path), name, folder)
            return Subject(script, port, engine, declared, f"{Path(path).name}:{name}", True)
        port = Path(arguments.port)
        if not port.is_file():
            raise Refused(f"{port} is not a file")
        return Subject(script, port, engine, declared)
    if engine in ("keras2", "tf_keras") and migration.dialect == "keras2":
        # what will be run are the defaults of tf.keras, not those of the old package
        migration, beside = together(script, "tf_keras")
        declared = migration.findings
        engine = "old_scripts" if engine == "keras2" else engine
    left = [f for f in migration.findings if f.severity is Severity.ERROR]
    if left:
        raise Refused(
            f"{script}: k2t leaves {len(left)} places to you, beginning with {left[0].code} "
            f"{left[0].message}; finish the migrated script and give it as the second"
        )
    port = folder / files.output_name(script.name)
    port.write_text(migration.text or "", encoding="utf-8")
    for name, data in beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return Subject(script, port, engine, declared)


def harnessed(arguments: argparse.Namespace, path: Path, name: str, folder: Path) -> Path:
    """A script that trains a class of a file on the batches that Keras was given."""
    if not path.is_file():
        raise Refused(f"{path} is not a file")
    given = (str(path.resolve()), name, arguments.loss or "", arguments.optimizer or "")
    port = folder / "harnessed.py"
    port.write_text(
        "from k2t.verify.probes.harness import train\n\n"
        f"train(batches, {', '.join(map(repr, given))}, {arguments.channels_first})\n",
        encoding="utf-8",
    )
    return port


def together(script: Path, dialect: str | None) -> tuple[Migration, dict[str, bytes]]:
    """A script with the files it imports, all findings with it; the texts of these by their names.

    Raises Refused for what cannot be read or holds no Keras.
    """
    try:
        given = around(str(script))
    except OSError as error:
        raise Refused(f"{script} cannot be read: {error.strerror or error}") from error
    holds = {path: mentions_keras(data) for path, data in given.items()}
    members = next((m for m in groups(given, holds) if m[-1].path == str(script)), None)
    home = script.parent
    plain = {
        os.path.relpath(path, home): data for path, data in given.items() if path != str(script)
    }
    if members is None:
        return migrated(script, dialect), plain
    output = {m.path: Path(files.output_name(m.path)).stem for m in members}
    options = {"fidelity": "faithful", "line_length": 88}
    try:
        done = project.migrate(members, output, dialect=dialect, **options)  # type: ignore[arg-type]
    except Apart as error:
        raise Refused(f"{error.path}: {error.message}") from error
    except Exception as error:
        raise Refused(f"{script}: {internal(error)}") from error
    for member, part in zip(members[:-1], done, strict=False):
        if part.text != part.source.text:
            name = files.output_name(os.path.relpath(member.path, home))
            plain[name] = (part.text or "").encode()
    every = tuple(finding for part in done for finding in part.findings)
    return replace(done[-1], findings=every), plain


def migrated(script: Path, dialect: str | None) -> Migration:
    """Raises Refused for what cannot be read or holds no Keras."""
    try:
        migration = migrate(script.read_bytes(), str(script), dialect=dialect)
    except OSError as error:
        raise Refused(f"{script} cannot be read: {error.strerror or error}") from error
    except Unreadable as error:
        raise Refused(f"{script}:{error.line}:{error.column}: {error.message}") from error
    except Exception as error:
        raise Refused(f"{script}: {internal(error)}") from error
    if migration.text is None or migration.dialect is None:
        raise Refused(f"{script} does not train with Keras")
    return migration
