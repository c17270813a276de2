"""What ``weights`` does: a state dict for a migrated class from a saved Keras model."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from k2t import files

OUTPUTS = (".pt", ".pth", ".safetensors")
SOURCES = (".keras", ".h5", ".hdf5")


def weights(arguments: argparse.Namespace) -> int:
    """Turn the weights of a saved Keras model into a state dict of the migrated class."""
    script, _, name = arguments.script.rpartition(":")
    refusal = refuse(arguments, script, name)
    if refusal:
        return say(2, refusal)
    try:
        from k2t.verify.run import Child, ProbeFailed, Setting, run_child
    except ModuleNotFoundError as error:
        return say(2, f"the package {error.name} is missing: pip install 'k2t[verify]'")

    suffix = ".safetensors" if arguments.output.endswith(".safetensors") else ".pt"
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "cwd").mkdir()
            out, result = folder / f"out{suffix}", folder / "result.json"
            given = [os.path.abspath(arguments.source), os.path.abspath(script), name]
            setting = Setting(timeout=1800)
            child = Child("torch", "weights", "k2t.verify.saved.transfer", [])
            run_child([*given, str(out), str(result)], folder, setting, child, Path(script))
            found = json.loads(result.read_text(encoding="utf-8"))
            if found["status"]:
                return say(found["status"], *found["lines"])
            files.write(arguments.output, out.read_bytes())
    except ProbeFailed as error:
        lines = str(error).strip().splitlines()
        return say(2, f"{lines[0].rstrip(':')}: {lines[-1].strip()}")
    except OSError as error:
        return say(2, f"{arguments.output} cannot be written: {error.strerror or error}")
    print(f"{arguments.output}: {found['lines'][0]}")
    return 0


def refuse(arguments: argparse.Namespace, script: str, name: str) -> str:
    """Why there is nothing to begin with; "" if there is."""
    source, output = arguments.source, arguments.output
    if not script or not name.isidentifier():
        return f"--script {arguments.script}: FILE.py:Class is needed"
    if not os.path.isfile(script):
        return f"{script} cannot be read: there is no such file"
    if not os.path.lexists(source):
        return f"{source} cannot be read: there is no such file"
    if not os.path.isdir(source) and not source.lower().endswith(SOURCES):
        return f"{source} is not a .keras, .h5 or .weights.h5 file"
    if not output.endswith(OUTPUTS):
        return f"{output}: the output is a .pt or a .safetensors file"
    if os.path.isdir(output) or not os.path.isdir(os.path.dirname(output) or "."):
        return f"{output} cannot be written: {'it' if os.path.isdir(output) else 'its folder'} " + (
            "is a folder" if os.path.isdir(output) else "is not there"
        )
    if os.path.realpath(output) in (os.path.realpath(source), os.path.realpath(script)):
        return f"{output} is an input too"
    if os.path.lexists(output) and not arguments.force:
        return f"{output} exists; --force overwrites it"
    return ""


def say(status: int, *lines: str) -> int:
    for number, line in enumerate(lines):
        print(line if number else f"k2t: {line}", file=sys.stderr)
    return status
