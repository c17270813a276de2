"""Where the data folders are: in ``k2t/_data`` when installed, at the root of a checkout."""

from pathlib import Path

HERE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder ``rules`` or ``golden``."""
    packaged = HERE / "_data" / name
    return packaged if packaged.is_dir() else HERE.parent / name
