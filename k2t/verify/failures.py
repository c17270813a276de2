"""Why a script did not run, in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

from k2t.verify.run import KILLED, ProbeFailed

MISFIT = "the weights of Keras do not fit the Lightning model:"
# (pattern in the last lines of stderr, the sentence): the first that fits
REASONS = [
    (
        r"ModuleNotFoundError: No module named '([\w.]+)'",
        "needs the package {0}, which is not installed here",
    ),
    (
        r"(?:URL fetch failure on|urlopen error|Failed to download|Temporary failure in name|"
        r"ConnectionError|Max retries exceeded|could not be downloaded)\s*(\S*)",
        "needs a download, and there is no way to it from here: try --data synthetic",
    ),
    (
        r"FileNotFoundError: \[Errno 2\] [^:]*: (.*)",
        "needs the file {0}, which is not there",
    ),
    (r"FileNotFoundError: (.*)", "needs a file: {0}"),
    (
        r"(?:Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|"
        r"No supported gpu backend|CUDA is not available)",
        "needs a GPU, and there is none here",
    ),
    (r"K2T(\d{3}): (.*)", "stops where k2t left something to you (K2T{0}: {1})"),
    (
        r"error: the following arguments are required: (.*)",
        'needs arguments ({0}): --arguments "..." gives them to both scripts',
    ),
    (r"(MemoryError|Killed)", "ran out of memory"),
]


def reason(error: ProbeFailed) -> str:
    """One sentence: whose script, and why it did not run to its end."""
    who = {"Keras": "the original"}.get(error.side, "the port")
    if error.problem == KILLED:
        return f"{who} ({error.script.name}) {error.problem}"
    if error.problem.startswith("ran longer"):
        return f"{who} ({error.script.name}) {error.problem}: --timeout allows more"
    text = "\n".join(error.log)
    for pattern, sentence in REASONS:
        found = re.search(pattern, text)
        if found:
            return f"{who} ({error.script.name}) {sentence.format(*found.groups())}"
    last = next((line for line in reversed(error.log) if line.strip()), error.problem)
    return f"{who} ({error.script.name}){where(error)} does not run: {last.strip()}"


def where(error: ProbeFailed) -> str:
    """ " line 12" of the user's script, where the traceback tells."""
    name = re.escape(Path(error.script).name)
    lines = re.findall(rf'File "[^"]*{name}", line (\d+)', "\n".join(error.log))
    return f", line {lines[-1]}," if lines else ""


def misfits(error: ProbeFailed) -> list[str]:
    """The weights that have no partner, where that is what ended the port; else nothing."""
    text = "\n".join(error.log)
    if MISFIT not in text:
        return []
    lines = text.split(MISFIT)[-1].splitlines()
    return [line.strip() for line in lines if line.startswith("  ") and line.strip()]
