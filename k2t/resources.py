"""Where the data folders are: ``k2t/_data`` of an installed k2t, the repository's root in a checkout."""

from pathlib import Path

HERE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder ``rules`` or ``golden``."""
    packaged = HERE / "_data" / name
    return packaged if packaged.is_dir() else HERE.parent / name
