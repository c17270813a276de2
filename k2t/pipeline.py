"""The order of the rooms: bytes, tree, Keras IR, torch IR, text."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from k2t import table
from k2t.analyse.build import analyse
from k2t.ir.finding import Finding, Severity
from k2t.ir.program import Program
from k2t.ir.source import Source, Span
from k2t.parse.script import Script, parse

if TYPE_CHECKING:
    from k2t.ir.torch import TorchProgram
    from k2t.render.render import Rendered
    from k2t.table import Table

TRAINING = {"fit", "compile", "model", "class", "evaluate", "predict"}


@dataclass(frozen=True)
class Migration:
    """The migrated text (None: nothing of Keras in the script) and what is to be said about it."""

    text: str | None
    findings: tuple[Finding, ...]
    dialect: str
    source: Source
    encoding: str
    newline: str


def migrate(
    data: bytes,
    path: str,
    *,
    dialect: str | None = None,
    fidelity: str = "faithful",
    line_length: int = 88,
) -> Migration:
    """Migrate a script.

    Raises:
        Unreadable: the bytes are no Python 3 script.
    """
    gc.disable()
    try:
        return run(parse(data, path), dialect, fidelity, line_length)
    finally:
        gc.enable()


def run(
    script: Script,
    dialect: str | None,
    fidelity: str,
    line_length: int,
    finish: Callable[[str, Program, Sequence[str]], str] | None = None,
) -> Migration:
    """``finish`` puts imports into the text, those too that it is told (default: one script)."""
    rules = table.load()
    program = analyse(script, rules, dialect)
    source = script.source
    if not has_keras(program):
        return Migration(None, (), program.dialect, source, script.encoding, script.newline)
    if program.ended is not None:
        return Migration(
            source.text, program.findings, program.dialect, source, script.encoding, script.newline
        )
    from k2t.lower.program import lower_program
    from k2t.render.render import collision, render, shorten_lines
    from k2t.splice.splice import Unsplicable, splice

    flat: dict[int, str] = {}
    while True:
        lowered, findings = lower_program(program, rules, fidelity, flat)
        rendered = render(program, lowered, line_length)
        wrong = without_structure(lowered, rendered, rules)
        if not wrong:
            break
        flat |= wrong
    taken = collision(program, rendered)
    if taken is not None:
        clash = Finding(
            "K2T996",
            Severity.ERROR,
            f"not migrated: the script has a name of its own, {taken}, that generated code needs",
            Span(0, 0),
        )
        findings = (*findings, clash)
        return Migration(
            source.text, findings, program.dialect, source, script.encoding, script.newline
        )
    try:
        text = splice(
            program,
            [(c.span, c.text, c.block) for c in rendered.changes],
            rendered.removed,
            rendered.before,
            rendered.blocks,
        )
        if finish is not None:
            text = finish(text, program, rendered.imports)
        else:
            text = completed(text, program.bound_names, rendered.imports)
        text = shorten_lines(text, source.text, line_length)
    except Unsplicable as error:
        broken = Finding("K2T998", Severity.ERROR, f"not migrated: {error}", Span(0, 0))
        return Migration(
            source.text,
            (*findings, broken),
            program.dialect,
            source,
            script.encoding,
            script.newline,
        )
    return Migration(text, findings, program.dialect, source, script.encoding, script.newline)


def completed(text: str, bound: Set[str], extra: Sequence[str]) -> str:
    """A migrated text with the imports it needs; ``bound`` are names that it binds itself."""
    from k2t.render.vocabulary import vocabulary
    from k2t.splice.splice import with_imports

    return with_imports(text, bound, extra, vocabulary())


def emitted_names() -> set[str]:
    """What the definitions of k2t's own are called that a script may be given."""
    from k2t.render.emitted import definitions

    return {*definitions(), "init_weights"}


def without_structure(lowered: TorchProgram, rendered: Rendered, rules: Table) -> dict[int, str]:
    """The models whose classes do not make the graph of the script, and why that is thought."""
    from k2t.prove.prove import disproved

    pairs = zip(lowered.proofs, rendered.proofs, strict=True)
    found = {proof.model: disproved(proof, texts, rules) for proof, texts in pairs}
    return {model: reason for model, reason in found.items() if reason is not None}


def check(data: bytes, path: str, *, dialect: str | None = None) -> tuple[Finding, ...] | None:
    """Where a script trains with Keras; None where it does not.

    Raises:
        Unreadable: the bytes are no Python 3 script.
    """
    program = analyse(parse(data, path), table.load(), dialect)
    if not has_keras(program):
        return None
    if program.ended is not None:
        return program.findings
    return tuple(
        Finding("K2T001", Severity.INFO, f"Keras {use.kind}", use.call)
        for use in program.uses
        if use.kind in TRAINING
    )


def has_keras(program: Program) -> bool:
    return any(i.foreign for i in program.imports)
