"""Every name of an operation takes what its row says, in that order and with these defaults."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from k2t import table

ROWS = list(table.load().section("ops").values())
SAME = {
    # what TensorFlow takes a default of None for, and types that need not be said
    **{
        (f"tensorflow.{one}", "axis"): 0
        for one in ("argmax", "math.argmax", "argmin", "math.argmin")
    },
    **{
        (f"tensorflow.{one}", "keepdims"): False
        for one in ("norm", "linalg.norm", "math.count_nonzero")
    },
    ("tensorflow.one_hot", "axis"): -1,
    ("tensorflow.nn.convolution", "strides"): 1,
    ("tensorflow.random.uniform", "maxval"): 1.0,
    ("tensorflow.random_uniform", "maxval"): 1.0,
    ("keras.ops.arange", "step"): 1,
    ("keras.backend.arange", "dtype"): None,
}
"""What a default comes to that is written in another way."""
ASK = """
import inspect, json, sys
import keras, tensorflow as tf, tf_keras

found = {}
for path in json.load(sys.stdin):
    root, *rest = path.split(".")
    roots = [keras] if root == "keras" else [tf, tf.compat.v1]
    if rest[0] == "backend":
        roots, rest = [tf_keras.backend], rest[1:]
    for thing in roots:
        try:
            for part in rest:
                thing = getattr(thing, part)
        except AttributeError:
            continue
        found[path] = [
            [p.name, p.kind.name, "required" if p.default is p.empty else repr(p.default)]
            for p in inspect.signature(thing).parameters.values()
        ]
        break
print("ANSWER" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def parameters():
    """The parameters of each name in the frameworks: name, kind, default as it is shown."""
    asked = json.dumps(
        [path for row in ROWS for path in (*row.keras, *row.get("also", ()), *row.get("old", ()))]
    )
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=asked,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        check=True,
    )
    return json.loads(done.stdout.partition("ANSWER")[2])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_name_takes_what_the_row_says(row, parameters):
    mine = {p.name: p for p in row.params}
    for path in (
        *row.keras,
        *row.get("also", ()),
        *(p for p in row.get("old", ()) if p in parameters),
    ):
        assert path in parameters, f"{path} is no name"
        order = row.get("order", {}).get(path, "").split() or list(mine)
        own = row.get("defaults", {}).get(path, {})
        for place, (name, kind, default) in enumerate(parameters[path]):
            given = row.get("legacy", {}).get(name, name)
            if name == "name" or kind.startswith("VAR"):
                continue
            assert place >= len(order) or order[place] == given, f"{path}: place of {name}"
            if given not in mine or default == "required" or default.startswith("tf."):
                continue
            if mine[given].required and given not in own:
                continue
            theirs = SAME.get((path, given), ast.literal_eval(default))
            ours = own.get(given, mine[given].default)
            assert json.loads(json.dumps([ours])) == json.loads(json.dumps([theirs])), (
                f"{path}: {name}={default}"
            )
