"""The rule table: ``rules/*.toml``, compiled to ``_table.json``, which loads in a millisecond."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMPILED = HERE / "_table.json"
RULES = HERE.parent / "rules"


@dataclass(frozen=True)
class Param:
    """A constructor parameter; ``default`` is Python data, of no meaning where ``required``."""

    name: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Row:
    """One rule: the Keras names it answers to, its signature, and its fields (``data``)."""

    name: str
    section: str
    keras: tuple[str, ...]
    params: tuple[Param, ...]
    data: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        return self.data.get(key, default)

    def signature(self, dialect: str) -> tuple[Param, ...]:
        """The parameters with the defaults of a dialect."""
        changed = self.data.get("dialect", {}).get(dialect, {}).get("defaults", {})
        return tuple(
            Param(p.name, changed[p.name]) if p.name in changed else p for p in self.params
        )

    def for_dialect(self, dialect: str, key: str, default: Any = None) -> Any:
        """A field that a dialect may override."""
        return self.data.get("dialect", {}).get(dialect, {}).get(key, self.data.get(key, default))


@dataclass(frozen=True)
class Table:
    """All rows, by section and name, and the row each canonical Keras name leads to.

    ``refused`` has the reasons for names (and for strings of a section) that are not carried over,
    ``under`` those for all names that begin alike.
    """

    rows: Mapping[str, Mapping[str, Row]]
    by_path: Mapping[str, Row]
    by_string: Mapping[tuple[str, str], Row]
    refused: Mapping[str | tuple[str, str], str]
    under: tuple[tuple[str, str], ...] = ()

    def section(self, name: str) -> Mapping[str, Row]:
        return self.rows.get(name, {})

    def find(self, path: str) -> Row | None:
        """The row of a canonical Keras name."""
        return self.by_path.get(path)

    def string(self, section: str, name: str) -> Row | None:
        """The row of a string identifier (``"adam"`` in ``optimizers``)."""
        return self.by_string.get((section, name)) or self.by_string.get((section, name.lower()))

    def paths(self) -> Iterator[str]:
        """All canonical names: those with a rule, and those that are refused."""
        yield from self.by_path
        yield from (name for name in self.refused if isinstance(name, str))

    def reason(self, path: str) -> str | None:
        """Why a canonical Keras name is refused, if a row says so: by its name or its beginning."""
        starts = (why for start, why in self.under if path.startswith(start))
        return self.refused.get(path) or next(starts, None)

    def left(self, path: str) -> str:
        """What is said of a canonical Keras name that is left, with the reason if a row has one."""
        reason = self.reason(path)
        return f"{path} is not migrated" + (f": {reason}" if reason else "")


@cache
def load() -> Table:
    """The table as shipped; in a checkout the compiled file is kept equal by a test."""
    return build(json.loads(COMPILED.read_text(encoding="utf-8")))


def build(data: Mapping[str, Any]) -> Table:
    rows: dict[str, dict[str, Row]] = {}
    by_path: dict[str, Row] = {}
    by_string: dict[tuple[str, str], Row] = {}
    refused: dict[str | tuple[str, str], str] = {}
    under: list[tuple[str, str]] = []
    for section, entries in data.items():
        rows[section] = {}
        for name, entry in entries.items():
            if reason := entry.get("refused"):  # no rule: a reason that there is none
                refused.update(dict.fromkeys(entry.get("keras", ()), reason))
                under += ((start, reason) for start in entry.get("under", ()))
                strings = ((section, string) for string in entry.get("strings", ()))
                refused.update(dict.fromkeys(strings, reason))
                continue
            params = tuple(Param(*p) for p in entry.get("params", ()))
            row = Row(name, section, tuple(entry.get("keras", ())), params, entry)
            rows[section][name] = row
            by_path.update(dict.fromkeys(row.keras, row))
            by_path.update(dict.fromkeys((*entry.get("functions", ()), *entry.get("old", ())), row))
            for string in entry.get("strings", ()):
                by_string[section, string] = row
    return Table(rows, by_path, by_string, refused, tuple(under))


def compile_rules(rules: Path = RULES) -> str:
    """``rules/*.toml`` as JSON text: one key per file, signatures parsed."""
    import tomllib

    data: dict[str, Any] = {}
    for path in sorted(rules.glob("*.toml")):
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.stem == "dialects":  # the rest of it is for readers
            entries = {n: {"tells": e["tells"]} for n, e in entries.items() if "tells" in e}
        for name, entry in entries.items():
            if "signature" in entry:
                entry["params"] = parse_signature(entry.pop("signature"), f"{path.name}: {name}")
        data[path.stem] = entries
    return json.dumps(data, indent=1) + "\n"


def parse_signature(text: str, where: str) -> list[list[Any]]:
    """``"units, activation=None"`` as ``[[name, default, required], ...]``."""
    try:
        arguments = ast.parse(f"def f({text}): ...").body[0].args  # type: ignore[attr-defined]
    except SyntaxError as error:
        raise ValueError(f"{where}: bad signature: {error}") from None
    names = [a.arg for a in arguments.args]
    defaults = [ast.literal_eval(d) for d in arguments.defaults]
    required = len(names) - len(defaults)
    return [
        [name, None if i < required else defaults[i - required], i < required]
        for i, name in enumerate(names)
    ]


def write() -> None:
    """Recompile the table after a change of the rules."""
    COMPILED.write_text(compile_rules(), encoding="utf-8")


if __name__ == "__main__":
    write()
