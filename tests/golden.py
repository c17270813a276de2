"""The golden cases: where they are, how they are migrated and what their ``case.toml`` says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k2t.pipeline import Migration, migrate

GOLDEN = Path(__file__).parent.parent / "golden"


@dataclass(frozen=True)
class Case:
    """One folder of ``golden/``."""

    name: str
    options: dict[str, Any] = field(hash=False)

    @property
    def before(self) -> Path:
        return GOLDEN / self.name / "before.py"

    @property
    def after(self) -> Path:
        return GOLDEN / self.name / "after.py"

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        return tuple((old, new) for old, new in self.options.get("edits", ()))

    @property
    def needs(self) -> tuple[str, ...]:
        """Packages that the original needs and k2t does not."""
        return tuple(self.options.get("needs", ()))

    def migrate(self, fidelity: str = "faithful") -> Migration:
        return migrate(
            self.before.read_bytes(),
            self.before.name,
            dialect=self.options.get("dialect"),
            fidelity=fidelity,
        )


def cases() -> list[Case]:
    """All golden cases, by name."""
    return [
        Case(path.parent.name, tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(GOLDEN.glob("*/case.toml"))
    ]


def write() -> None:
    """Write every ``after.py`` anew; the difference is to be read before it is committed."""
    for case in cases():
        text = case.migrate().text
        assert text is not None, case.name
        case.after.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
