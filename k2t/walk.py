"""The Python scripts of a folder."""

import os

OUTPUT_SUFFIX = "_lightning.py"
SKIPPED = ("__pycache__", "node_modules", "site-packages")


def walk(folder: str) -> list[str]:
    """Paths of the ``*.py`` files below ``folder``, sorted.

    Skipped are hidden folders, virtual environments and what ``migrate`` itself wrote.
    """
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if wanted(root, name)]
        for name in files:
            if name.endswith(".py") and not name.endswith(OUTPUT_SUFFIX) and name[0] != ".":
                found.append(os.path.normpath(os.path.join(root, name)))
    return sorted(found)


def wanted(root: str, name: str) -> bool:
    """Whether a folder holds code of the user."""
    if name[0] == "." or name in SKIPPED:
        return False
    return not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))
