"""Runs a Keras script of this folder in a process of its own and hands back what it saved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def run_keras(script: str, *arguments: object, out: Path, **env: str) -> dict[str, np.ndarray]:
    """Runs `script OUT ARGUMENTS...`; raises with its stderr if it fails."""
    command = [sys.executable, str(Path(__file__).with_name(script)), str(out)]
    command += [str(a) for a in arguments]
    done = subprocess.run(
        command, env={**os.environ, **QUIET, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with np.load(out, allow_pickle=True) as file:
        return dict(file)
