"""The example in README.md: the Lightning script below the Keras one is what k2t makes of it.

python -m tests.readme     writes it anew
"""

from __future__ import annotations

import re
from pathlib import Path

from k2t.pipeline import migrate

README = Path(__file__).parent.parent / "README.md"
EXAMPLE = re.compile(
    r"(<!-- before -->\n```python\n)(.*?)(```\n.*?<!-- after -->\n```python\n)(.*?)(```\n)", re.S
)


def rendered(text: str) -> str:
    """README's text with the migrated example in it."""
    match = EXAMPLE.search(text)
    assert match is not None, "README.md has no example"
    after = migrate(match[2].encode(), "before.py").text
    assert after is not None
    return text[: match.start(4)] + after + text[match.end(4) :]


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
