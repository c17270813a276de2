"""Scripts of one project: a script and the files it imports layers and models from, read as one.

The texts are joined, imported ones first, and migrated together; the result is cut where the files
begin, and each gets the imports that its text reads. Only files that were given are followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from k2t.ir.finding import Finding, Severity
from k2t.ir.program import Program
from k2t.ir.source import Span
from k2t.parse.script import parse
from k2t.pipeline import Migration, run
from k2t.project.joined import Apart, Joined, joined
from k2t.project.members import CODE, Member
from k2t.project.parts import MARK, cut, stem


def migrate(
    members: list[Member],
    output: Mapping[str, str],
    *,
    dialect: str | None,
    fidelity: str,
    line_length: int,
) -> list[Migration]:
    """Each file of a project, migrated with the others.

    Args:
        output: what the file is called that a member is written to, without its ending.

    Raises:
        Apart: the files cannot be read as one.
    """
    for member in members:
        if member.package is not None and output[member.path] != stem(member.path):
            why = (
                f"{member.package} imports Keras and runs before the files of its package: migrate "
            )
            raise Apart(why + "them in place (--in-place)", member.path, Span(0, 0))
    one = joined(members)
    script = parse(one.text.encode(), members[-1].path)
    script = replace(script, source=replace(script.source, main=one.main))

    def finish(text: str, program: Program, extra: Sequence[str]) -> str:
        parts = cut(one, text, extra, output)
        return "".join(f"__section_{i}__ = 0\n{part}" for i, part in enumerate(parts))

    done = run(script, dialect, fidelity, line_length, finish)
    spliced = done.text is not None and done.text != script.source.text
    texts = MARK.split(done.text)[2::2] if spliced and done.text is not None else []
    findings: list[list[Finding]] = [[] for _ in members]
    for finding in done.findings:
        number, placed = located(one, finding)
        findings[number].append(placed)
    return [
        Migration(
            texts[i] if spliced else member.script.source.text,
            tuple(findings[i]),
            done.dialect,
            member.script.source,
            member.script.encoding,
            member.script.newline,
        )
        for i, member in enumerate(members)
    ]


def located(one: Joined, finding: Finding) -> tuple[int, Finding]:
    """The member that a finding is about, with its place in that file."""
    number = one.member_of(finding.span.start)
    start = one.starts[number]
    end = len(one.members[number].script.source.text)
    span = Span(max(finding.span.start - start, 0), max(min(finding.span.end - start, end), 0))
    return number, replace(finding, span=span)


def left(member: Member, error: Apart) -> Migration:
    """A script that is left because the files cannot be read as one."""
    script = member.script
    why = f"not migrated: {error.path}: {error.message}"
    span = error.span if error.path == member.path else Span(0, 0)
    finding = Finding(CODE, Severity.ERROR, why, span)
    source = script.source
    return Migration(source.text, (finding,), "keras3", source, script.encoding, script.newline)
