"""What the analysis says of an array is what numpy makes: where it knows a size or a type."""

from __future__ import annotations

import numpy as np
import pytest

from k2t.analyse.build import Interpreter, Keras
from k2t.ir.values import Array, as_int
from k2t.parse.script import parse
from k2t.table import load

pytestmark = pytest.mark.quick

HEAD = """\
import numpy as np
f = np.zeros((6, 5, 4), "float32")
d = np.ones((6, 5))
i = np.zeros((6, 5), "int32")
u = np.zeros((6, 5), "uint8")
b = f > 0
n = np.arange(6)
"""
EXPRESSIONS = [
    "f.mean(-1)", "f.mean(-1, keepdims=True)", "f.sum(axis=(1, 2))", "f.sum((0, 2), keepdims=True)",
    "np.mean(f, axis=0, keepdims=True)", "np.max(f, axis=(1,))", "np.amax(i, 1)", "i.sum(1)",
    "b.sum(axis=1)", "b.any(axis=(1, 2))", "u.sum(0)", "u.mean(0)", "i.std(1)", "f.argmax(-1)",
    "np.argmax(f, axis=-1)", "f.sum(axis=0, dtype='float64')", "f.max(keepdims=True)",
    "f.var(axis=1, keepdims=True)", "f[..., :1]", "f[:, 1:3]", "f[1]", "f[:, None, ..., 0]",
    "f[:, ::2]", "f.reshape(6, -1)", "f.reshape((-1, 4))", "np.reshape(f, (6, 20))", "f.T",
    "f.transpose(0, 2, 1)", "np.transpose(f)", "np.expand_dims(d, -1)", "np.expand_dims(d, 0)",
    "d.astype('float32')", "(f > 0).astype('float32')", "f + 1", "f * d[..., None]", "i + 1",
    "i / 2", "u + 1", "u / 255.0", "u.astype('float32') / 255", "i * 0.5", "f - f.mean(0)", "n % 3",
    "np.stack([d, d])", "np.stack([d, d], axis=-1)", "np.concatenate([f, f], axis=1)",
    "np.vstack([d, d])", "np.hstack([d, d])", "np.eye(4)", "np.zeros((3, 2), dtype=np.int64)",
    "np.ones_like(f)", "np.zeros_like(i)", "np.arange(3, 9, 2)", "np.linspace(0, 1, 7)",
    "np.float32(d)", "f.copy()", "np.clip(f, 0, 1)", "np.abs(i)", "np.sqrt(d)", "np.exp(f)",
    "f.flatten()", "np.array([[1, 2], [3, 4]])", "np.array([1.0, 2.0], dtype='float32')",
    "np.random.rand(4, 3)", "np.random.randint(0, 5, size=(4, 2))", "np.random.normal(size=(2, 3))",
    "n[:, None]", "np.repeat(d, 2, axis=0)", "np.tile(d, (2, 1))", "d @ d.T", "np.dot(d, d.T)",
    "f[n]", "d[d > 2]", "np.where(f > 0, f, 0)", "-i", "~b", "d ** 2", "np.squeeze(f[:, :1, :1])",
    "np.maximum(f, 0)", "np.maximum(n, d.T[:, :, None])", "np.power(i, 2.0)", "np.cumsum(f)",
    "np.add(n[:, None], n)", "np.divide(i, 2)", "n[:, None] == n", "d[n, [0] * 6]", "f[d > 2]",
    "np.swapaxes(f, 1, 2)", "np.flip(f, 1)", "np.pad(d, 1)", "np.roll(d, 1)", "np.cumsum(i, 1)",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_known_is_right(expression: str) -> None:
    text = f"{HEAD}result = {expression}\n"
    script = parse(text.encode(), "train.py")
    interp = Interpreter(script.source, script.tree, load(), "keras3")
    Keras(interp)
    interp.run()
    found = interp.module.names["result"]
    names: dict[str, np.ndarray] = {}
    exec(text, names)
    made = names["result"]
    assert isinstance(made, np.ndarray)
    if not isinstance(found, Array):
        return  # nothing is said of it
    if found.shape is not None:
        assert len(found.shape) == made.ndim
        assert [as_int(dim) or size for dim, size in zip(found.shape, made.shape, strict=True)] == [
            *made.shape
        ]
    assert found.dtype in (None, made.dtype.name)
