"""Read a Python script: its encoding, text, syntax tree, comments and line starts."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass

from k2t.ir.source import Comment, Source, Span


class Unreadable(Exception):
    """The input is no Python 3 script; ``line`` and ``column`` count from one."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Script:
    """A parsed script; ``encoding`` and ``newline`` are those to write it back with."""

    source: Source
    tree: ast.Module
    encoding: str
    newline: str


def parse(data: bytes, path: str) -> Script:
    """Parse the bytes of a script.

    Raises:
        Unreadable: wrong encoding, Python 2, or any other syntax error, with its place.
    """
    text, encoding, newline = decode(data)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Unreadable(
            syntax_message(error, text), error.lineno or 1, error.offset or 1
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"cannot be parsed: {error}") from None
    starts = line_starts(text)
    return Script(Source(path, text, starts, comments(text, starts)), tree, encoding, newline)


def decode(data: bytes) -> tuple[str, str, str]:
    """Text with ``\\n`` line ends, the encoding (PEP 263), and the line end of the file."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise Unreadable(f"cannot be decoded: {error}") from None
    if "\0" in text:
        raise Unreadable("is not a text file (it contains null bytes)")
    newline = "\r\n" if "\r\n" in text else "\n"
    return text.replace("\r\n", "\n"), encoding, newline


def syntax_message(error: SyntaxError, text: str) -> str:
    """The parser's message, with a word on Python 2 where it looks like that."""
    message = f"syntax error: {error.msg}"
    old = ("print '", 'print "', "except ", "exec ", "Missing parentheses")
    line = (text.splitlines() or [""])[min((error.lineno or 1), text.count("\n") + 1) - 1]
    if "Missing parentheses" in error.msg or any(line.strip().startswith(o) for o in old[:2]):
        message += " (Python 2? k2t reads Python 3)"
    return message


def line_starts(text: str) -> tuple[int, ...]:
    """The character offset of each line."""
    starts = [0]
    position = text.find("\n")
    while position >= 0:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    return tuple(starts)


def comments(text: str, starts: tuple[int, ...]) -> tuple[Comment, ...]:
    """All comments, in order."""
    if "#" not in text:
        return ()
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            start = starts[row - 1] + column
            own_line = not token.line[:column].strip()
            found.append(
                Comment(token.string, Span(start, start + len(token.string)), row, own_line)
            )
    return tuple(found)


class Spans:
    """Character spans of syntax nodes (``ast`` counts columns in UTF-8 bytes)."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines = source.text.split("\n")

    def offset(self, line: int, column: int) -> int:
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode())
        return self.source.line_starts[line - 1] + column

    def of(self, node: ast.AST) -> Span:
        """The span of an expression or statement (decorators included)."""
        first = getattr(node, "decorator_list", None) or [node]
        start = self.offset(first[0].lineno, first[0].col_offset)
        if first[0] is not node:
            start = self.source.text.rindex("@", 0, start)
        return Span(start, self.offset(node.end_lineno, node.end_col_offset))  # type: ignore[attr-defined]
