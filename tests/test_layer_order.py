"""The order of `model.layers` in graphs that branch, against Keras's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from k2t.analyse.interpreter import Interpreter
from k2t.analyse.keras import Keras
from k2t.analyse.nesting import layer_list
from k2t.parse.script import parse
from k2t.table import load

GRAPHS = {
    "branches": """
i = keras.Input((8,), name="i")
a = layers.Dense(4, name="a")(i)
b = layers.Dense(4, name="b")(i)
c = layers.Dense(4, name="c")(b)
m = layers.Concatenate(name="m")([a, c])
o = layers.Dense(1, name="o")(m)
model = keras.Model(i, o)
""",
    "skips": """
i = keras.Input((8,), name="i")
a = layers.Dense(8, name="a")(i)
b = layers.Dense(8, name="b")(a)
s = layers.Add(name="s")([b, i])
d = layers.Dense(8, name="d")(s)
e = layers.Dense(8, name="e")(d)
t = layers.Add(name="t")([s, e])
o = layers.Dense(1, name="o")(t)
model = keras.Model(i, o)
""",
    "two ends": """
i = keras.Input((8,), name="i")
j = keras.Input((8,), name="j")
shared = layers.Dense(8, name="shared")
a = shared(i)
b = shared(layers.Dense(8, name="pre")(j))
m = layers.Concatenate(name="m")([b, a])
p = layers.Dense(1, name="p")(a)
q = layers.Dense(1, name="q")(m)
model = keras.Model([i, j], [q, p])
""",
    "inception": """
i = keras.Input((8, 8, 3), name="i")
x = layers.Conv2D(4, 1, name="stem")(i)
a = layers.Conv2D(4, 1, name="a1")(x)
b = layers.Conv2D(4, 3, padding="same", name="b2")(layers.Conv2D(4, 1, name="b1")(x))
c = layers.Conv2D(4, 1, name="c2")(layers.MaxPooling2D(3, 1, padding="same", name="c1")(x))
m = layers.Concatenate(name="m")([a, b, c])
o = layers.GlobalAveragePooling2D(name="g")(m)
model = keras.Model(inputs=i, outputs=o)
""",
    "unread input": """
i = keras.Input((8,), name="i")
j = keras.Input((8,), name="j")
model = keras.Model([i, j], layers.Dense(2, name="d")(i))
""",
}
HEADS = {
    "keras3": "import keras\nfrom keras import layers\n",
    "tf_keras": "import tf_keras as keras\nfrom tf_keras import layers\n",
}
TOLD = """
import json
told = {{}}
for name, text in {graphs!r}.items():
    names = {{}}
    exec({head!r} + text, names)
    told[name] = [layer.name for layer in names["model"].layers]
print(json.dumps(told))
"""


@pytest.fixture(scope="module", params=HEADS)
def keras(request) -> dict[str, list[str]]:
    """The names of the layers of each graph, as a Keras has them."""
    code = TOLD.format(graphs=GRAPHS, head=HEADS[request.param])
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def found(text: str) -> list[str]:
    """The names of the layers as the analysis numbers them; an input's is that of its variable."""
    script = parse((HEADS["keras3"] + text).encode(), "script.py")
    interp = Interpreter(script.source, script.tree, load(), "keras3")
    Keras(interp)
    interp.run()
    (model,) = interp.models.values()
    return [
        interp.graph[layer.id].name if layer.row == "Input" else layer.args["name"].value.value
        for layer in layer_list(interp, model)
    ]


@pytest.mark.parametrize("name", GRAPHS)
def test_layers_stand_in_the_order_of_keras(name: str, keras: dict[str, list[str]]) -> None:
    assert found(GRAPHS[name]) == keras[name]


def test_operations_between_the_layers_make_the_numbers_uncertain() -> None:
    text = GRAPHS["branches"].replace("(m)\nmodel", "(m * 2)\nmodel")
    assert text != GRAPHS["branches"]
    assert found(text) == []
