"""Tensor operations: their samples in models and in classes, and by each of their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from k2t import table
from k2t.table import Row

from .cases import HEAD, Case, ahead

IMPORTS = (
    "from keras import ops\nimport tensorflow as tf\nfrom tensorflow.keras import backend as K\n"
)
ROOTS = {
    "keras.ops": "ops",
    "keras.random": "keras.random",
    "keras.activations": "keras.activations",
    "keras.backend": "K",
    "tensorflow": "tf",
}
INSIDE = """
class Sample(layers.Layer):
    def call(self, {names}):
        return {expression}


"""


def op_cases() -> list[Case]:
    """Each sample on inputs and behind layers that move the channels, or only in a class of the
    script if it says "class"; the first one in both, and by each other name of the operation."""
    return [case for row in table.load().section("ops").values() for case in row_cases(row)]


def row_cases(row: Row) -> Iterator[Case]:
    samples = row.get("samples", ())
    for number, (shapes, expression, *only) in enumerate(samples):
        fronts = only or ["", "layer", *(["class"] if number == 0 else [])]
        for front in fronts:
            yield operation(row, shapes, expression, front)
    shown = {path for _, expression, *_ in samples for path in called(expression)}
    for shapes, expression, *only in samples[:1]:
        for path in sorted({*row.keras, *row.get("also", ())} - shown):
            yield operation(row, shapes, respelled(row, expression, path), *(only or [""]))


def activation_names() -> Iterator[Case]:
    """Each activation by the names it has as an operation."""
    for row in table.load().section("activations").values():
        for path in row.keras:
            start = next(
                (full for full in ROOTS if path.startswith(f"{full}.")), "keras.activations"
            )
            if start != "keras.activations":
                call = f"{ROOTS[start]}{path.removeprefix(start)}"
                script = f"{HEAD}{IMPORTS}in_x = keras.Input((6, 4))\n"
                script += f"out = layers.Lambda(lambda x: {call}(3 * x))(in_x)\n"
                script += "model = keras.Model(in_x, out)\n"
                title = f"activations/{row.name}: {call}"
                yield Case(title, f"activations/{row.name}", script, ((6, 4),))


def operation(row: Row, shapes: list[list[int]], expression: str, front: str) -> Case:
    """One expression of x (and y). Names that Keras 3 only has for real tensors go in a Lambda."""
    title = f"ops/{row.name}: {expression} of {shapes}"
    title += {"layer": " behind a layer", "class": " in a class", "": ""}[front]
    names = "xyz"[: len(shapes)]
    script = HEAD + IMPORTS
    if front == "class":
        script += INSIDE.format(names=", ".join(names), expression=expression)
        expression = f"Sample()({', '.join(names)})"
    for name, shape in zip(names, shapes, strict=True):
        script += f"in_{name} = keras.Input({tuple(shape)})\n"
        applied = f"{ahead(tuple(shape))}(in_{name})" if front == "layer" else f"in_{name}"
        script += f"{name} = {applied}\n"
    if re.search(r"\b(K|tf)\.", expression):
        inner = re.sub(r"\b[xyz]\b", lambda v: f"v[{names.index(v[0])}]", expression)
        whole = f"[{', '.join(names)}]" if len(names) > 1 else names
        expression = f"layers.Lambda(lambda v: {inner if len(names) > 1 else expression})({whole})"
        expression = expression.replace("lambda v", "lambda x") if len(names) == 1 else expression
    ends = ", ".join(f"in_{name}" for name in names)
    ends = f"[{ends}]" if len(names) > 1 else ends
    script += f"out = {expression}\nmodel = keras.Model({ends}, out)\n"
    return Case(title, f"ops/{row.name}", script, tuple(map(tuple, shapes)))


def called(expression: str) -> list[str]:
    calls = (n for n in ast.walk(ast.parse(expression)) if isinstance(n, ast.Call))
    return [full_name(call.func) for call in calls]


def respelled(row: Row, expression: str, path: str) -> str:
    """A sample with the operation called by another of its names, arguments by position."""
    tree = ast.parse(expression, mode="eval")
    theirs, order = defaults_of(row, path), order_of(row, path)
    for call in [n for n in ast.walk(tree) if isinstance(n, ast.Call)]:
        name = full_name(call.func)
        if name not in (*row.keras, *row.get("also", ())):
            continue
        legacy = row.get("legacy", {})
        given = {k: v for k, v in defaults_of(row, name).items() if k not in row.get("fixed", ())}
        given |= dict(zip(order_of(row, name), map(ast.unparse, call.args), strict=False))
        given |= {legacy.get(str(k.arg), str(k.arg)): ast.unparse(k.value) for k in call.keywords}
        texts = [given.get(p, theirs.get(p)) for p in order]
        while texts and texts[-1] in (None, theirs.get(order[len(texts) - 1])):
            texts.pop()
        start = next(full for full in ROOTS if path.startswith(f"{full}."))
        written = f"{ROOTS[start]}{path.removeprefix(start)}({', '.join(map(str, texts))})"
        made = ast.parse(written, mode="eval").body
        assert isinstance(made, ast.Call)
        call.func, call.args, call.keywords = made.func, made.args, []
    return ast.unparse(tree)


def full_name(node: ast.expr) -> str:
    """``ops.sum`` as ``keras.ops.sum``."""
    root, _, rest = ast.unparse(node).partition(".")
    full = next((full for full, short in ROOTS.items() if short == root), root)
    return f"{full}.{rest}"


def order_of(row: Row, path: str) -> list[str]:
    """The parameters of a name by position."""
    order = row.get("order", {}).get(path)
    return order.split() if order else [p.name for p in row.params]


def defaults_of(row: Row, path: str) -> dict[str, str]:
    own = row.get("defaults", {}).get(path, {})
    found = {p.name: p.default for p in row.params if not p.required} | own
    return {name: repr(value) for name, value in found.items()}
