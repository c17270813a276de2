"""Runs the cases: Keras's side once in a child process, ours here."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import torch_side, torch_training

QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
KINDS = {"Case": torch_side.forward, "Trained": torch_training.trained}
ROOT = Path(__file__).parents[2]


def keras_values(cases: Sequence[Any], folder: Path) -> dict[str, Any]:
    """What Keras makes of each case, by its name: values, or the traceback where it failed."""
    given, out = folder / "cases.json", folder / "keras.pickle"
    given.write_text(json.dumps([(type(case).__name__, asdict(case)) for case in cases]))
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.rows.keras_side", str(given), str(out)],
        env={**os.environ, **QUIET, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for case in cases:  # meanwhile
        with suppress(Exception):
            torch_side.migrated(case.script, case.dialect)
    _, complaints = child.communicate()
    if child.returncode:
        raise RuntimeError(complaints[-4000:])
    values: dict[str, Any] = pickle.loads(out.read_bytes())
    return values


def errors(case: Any, keras: dict[str, Any]) -> dict[str, float]:
    """The case's errors by what was compared."""
    values = keras[case.name]
    assert not isinstance(values, str), values
    return KINDS[type(case).__name__](case, values)
