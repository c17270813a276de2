"""The micro scripts that the rows of the table are proved on, and the numbers they run on."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from k2t import table
from k2t.table import Row

BATCH = 4
BOUND, DOUBLE = 1e-5, 1e-9
ALSO = ", double"
"""What the name of a case in double precision ends in."""
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
# Keras 2 spelled out for Keras 3
HARD = "lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)"
OLD = {
    "layers.Activation('hard_sigmoid')": f"layers.Activation({HARD})",
    "layers.Dense(13, activation='hard_sigmoid')": f"layers.Dense(13, activation={HARD})",
    "layers.LSTM(5)": f"layers.LSTM(5, recurrent_activation={HARD})",
    "layers.GRU(5)": f"layers.GRU(5, recurrent_activation={HARD}, reset_after=False)",
    "layers.GRU(5, reset_after=True)": f"layers.GRU(5, recurrent_activation={HARD})",
    "layers.CuDNNGRU(5)": "layers.GRU(5)",
    "layers.CuDNNLSTM(5)": "layers.LSTM(5)",
    "layers.ThresholdedReLU()": "layers.ReLU(threshold=1.0)",
    "layers.ThresholdedReLU(0.3)": "layers.ReLU(threshold=0.3)",
    "layers.Convolution2D(4, 3, 2)": "layers.Conv2D(4, (3, 2))",
    "layers.Convolution2D(4, 2, 3, subsample=(2, 1))": "layers.Conv2D(4, (2, 3), (2, 1))",
    "layers.Conv2D(4, nb_row=2, nb_col=3)": "layers.Conv2D(4, (2, 3))",
    "layers.ConvLSTM2D(3, 2)": f"layers.ConvLSTM2D(3, 2, recurrent_activation={HARD})",
}
OLD_LAYERS = [
    ("layers.CuDNNGRU(5)", (6, 4)),
    ("layers.ThresholdedReLU()", (6, 4)),
    ("layers.ThresholdedReLU(0.3)", (6, 5, 4)),
    ("layers.Convolution2D(4, 3, 2)", (6, 5, 3)),
    ("layers.Convolution2D(4, 2, 3, subsample=(2, 1))", (6, 5, 3)),
    ("layers.Conv2D(4, nb_row=2, nb_col=3)", (6, 5, 3)),
]
HEAD = "import keras\nfrom keras import layers\n\n"


@dataclass(frozen=True)
class Case:
    """One model in both frameworks.

    Args:
        row: "section/name" of the row it proves.
        script: what is migrated; it leaves a `model`.
        shapes: shape of each input, without the batch.
        top: above every integer of an integer input; 0 for float inputs.
        reach: inputs are evenly spaced in [-reach, reach]; 0 for normal ones.
        reference: what Keras runs where that is another spelling of the script.
        proves: "inference", or "outputs" in both modes, or "all", gradients too.
        dtype: of floats, in both frameworks.
    """

    name: str
    row: str
    script: str
    shapes: tuple[tuple[int, ...], ...]
    top: int = 0
    reach: float = 0.0
    reference: str = ""
    dialect: str = "keras3"
    bound: float = BOUND
    proves: str = "all"
    dtype: str = "float32"

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.removesuffix(ALSO).encode())

    def inputs(self) -> list[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        full = [(BATCH, *shape) for shape in self.shapes]
        if self.top:
            return [rng.integers(0, self.top, shape).astype("int32") for shape in full]
        if self.reach:
            return [
                np.linspace(-self.reach, self.reach, np.prod(s), dtype=self.dtype).reshape(s)
                for s in full
            ]
        return [rng.normal(size=shape).astype(self.dtype) for shape in full]


def in_double(case: Case) -> Case:
    """The same in double precision, where two programs that are the same agree to its rounding."""
    return replace(case, name=case.name + ALSO, bound=DOUBLE, dtype="float64")


def layer_cases() -> list[Case]:
    """Each sample of each layer row, as `spelled`, and the layers of several inputs."""
    rows = table.load().section("layers")
    cases = [case for row in rows.values() for case in row_cases(row)]
    for layer in ("LSTM(5)", "GRU(5)", "GRU(5, reset_after=True)"):
        name = layer.partition("(")[0]
        cases += spelled(f"layers/{name}", f"layers.{layer}", (6, 4), dialect="keras2")
    cases += spelled("layers/ConvLSTM2D", "layers.ConvLSTM2D(3, 2)", (3, 5, 4, 2), dialect="keras2")
    for layer, shape in OLD_LAYERS:
        row = OLD[layer].removeprefix("layers.").partition("(")[0]
        row = "ThresholdedReLU" if "Threshold" in layer else row
        cases += spelled(f"layers/{row}", layer, shape, dialect="keras2")
    from .attended import attention_cases, single_head_cases
    from .carried import stateful_cases
    from .cells import cell_cases
    from .masked import mask_cases

    cases += [*mask_cases(), *cell_cases(), *attention_cases(), *single_head_cases()]
    cases += stateful_cases()
    return [*cases, *merge_cases(), *merges_of_merges(), *state_cases(), *dot_cases()]


def row_cases(row: Row) -> Iterator[Case]:
    for shape, arguments in row.get("samples", ()):
        top = 7 if row.get("input") == "int" else 0
        yield from spelled(
            f"layers/{row.name}",
            f"layers.{row.name}({arguments})",
            tuple(shape),
            top=top,
            bound=row.get("bound", BOUND),
            proves=row.get("proves", "all"),
        )


def spelled(row: str, layer: str, shape: tuple[int, ...], **more: object) -> list[Case]:
    """The layer alone in a Sequential, and behind another one in a Functional model."""
    top, dialect = more.get("top", 0), more.get("dialect", "keras3")
    kind = ', dtype="int32"' if top else ""
    text = f"model = keras.Sequential([keras.Input({shape}{kind}), {{}}])\n"
    before = f"x = {ahead(shape)}(inputs)\n" if not top else "x = inputs\n"
    graph = (
        f"inputs = keras.Input({shape}{kind})\n{before}x = {{}}(x)\n"
        "model = keras.Model(inputs, x)\n"
    )
    called = layer.removeprefix("layers.") + " " + "x".join(map(str, shape))
    if dialect != "keras3":
        called += f" {dialect}"
    old = OLD[layer] if dialect == "keras2" else ""
    return [
        Case(
            f"{row}: {called}{end}",
            row,
            HEAD + script.format(layer),
            (shape,),
            reference=HEAD + script.format(old) if old else "",
            **more,
        )
        for end, script in (("", text), (", graph", graph))
    ]


def ahead(shape: tuple[int, ...]) -> str:
    """A layer that keeps the shape, and leaves a map's channels where torch has them."""
    channels = shape[-1]
    if len(shape) in (1, 5):  # there is no Conv4D
        return f"layers.Dense({channels}, use_bias=False)"
    return f"layers.Conv{len(shape) - 1}D({channels}, 1, use_bias=False)"


STATES = {
    "LSTM": ("5", "5, recurrent_activation='hard_sigmoid'", "5, go_backwards=True"),
    "GRU": ("5", "5, reset_after=False"),
    "SimpleRNN": ("5", "5, activation='relu'"),
}


def state_cases() -> Iterator[Case]:
    """Recurrent layers that are given their first states, and whose last ones start others."""
    for name, samples in STATES.items():
        count = 2 if name == "LSTM" else 1
        own = [f"s{i}" for i in range(count)]
        for arguments in samples:
            for whole in (False, True):
                first = f"layers.{name}({arguments}, return_sequences={whole}, return_state=True)"
                script = inputs_of((6, 4), *[(5,)] * count) + (
                    f"y, {', '.join(own)} = {first}(i0, initial_state=[{states(1, count)}])\n"
                    f"z = layers.{name}({arguments})(i0, initial_state=[{', '.join(own)}])\n"
                    f"out = layers.Concatenate()([layers.Flatten()(y), z, {', '.join(own)}])\n"
                )
                yield with_states(name, f"{arguments} sequences {whole}", script, count)
        halves = [f"s{i}" for i in range(2 * count)]
        for mode in ("concat", "sum"):
            for whole in (False, True):
                inner = f"layers.{name}(5, return_sequences={whole}, return_state=True)"
                both = f"layers.Bidirectional({inner}, merge_mode='{mode}')"
                script = inputs_of((6, 4), *[(5,)] * 2 * count) + (
                    f"y, {', '.join(halves)} = {both}(i0, initial_state=[{states(1, 2 * count)}])\n"
                    f"out = layers.Concatenate()([layers.Flatten()(y), {', '.join(halves)}])\n"
                )
                called = f"Bidirectional {name} {mode} sequences {whole}"
                yield with_states("Bidirectional", called, script, 2 * count)


def inputs_of(*shapes: tuple[int, ...]) -> str:
    return HEAD + "".join(f"i{n} = keras.Input({shape})\n" for n, shape in enumerate(shapes))


def states(start: int, count: int) -> str:
    return ", ".join(f"i{start + n}" for n in range(count))


def with_states(name: str, called: str, script: str, count: int) -> Case:
    script += f"model = keras.Model([{states(0, count + 1)}], out)\n"
    shapes = ((6, 4), *[(5,)] * count)
    return Case(f"layers/{name}: states, {called}", f"layers/{name}", script, shapes)


def dot_cases() -> Iterator[Case]:
    """Products of tensors of one and two axes over every pair of axes, alone and behind layers."""
    pairs = [
        ((5,), (5,), "1"),
        ((5,), (5,), "-1"),
        ((6, 4), (3, 4), "2"),
        ((6, 4), (3, 4), "-1"),
        ((6, 4), (4, 3), "(2, 1)"),
        ((4, 6), (4, 3), "1"),
        ((4, 6), (3, 4), "[1, 2]"),
        ((6, 4), (4,), "(2, 1)"),
        ((4, 6), (4,), "(1, 1)"),
        ((4,), (6, 4), "(1, 2)"),
        ((4,), (4, 6), "(1, 1)"),
    ]
    for one, other, axes in pairs:
        for arguments in (axes, f"{axes}, normalize=True"):
            script = inputs_of(one, other) + (
                f"out = layers.Dot({arguments})([{ahead(one)}(i0), {ahead(other)}(i1)])\n"
                "model = keras.Model([i0, i1], out)\n"
            )
            name = f"layers/Dot: {arguments} of {one} and {other}"
            yield Case(name, "layers/Dot", script, (one, other))


def merge_cases() -> Iterator[Case]:
    """Two and three branches, each behind a layer, merged."""
    for name in MERGES:
        for shape in ((5,), (6, 4), (6, 5, 4)):
            count = 2 if name == "Subtract" else 3
            yield merged(name, shape, count, "")
            if name == "Concatenate":
                for axis in range(1, len(shape) + 1):
                    yield merged(name, shape, 2, f"axis={axis}")


def merges_of_merges() -> Iterator[Case]:
    """Sums in products, differences of differences: in one expression they need brackets."""
    for shape in ((5,), (6, 5, 4)):
        for outer, inner in (
            ("Multiply", ("Add", "Subtract")),
            ("Subtract", ("Subtract", "Add")),
            ("Average", ("Multiply", "Average")),
            ("Maximum", ("Add", "Minimum")),
        ):
            script = HEAD
            for i in ("i0", "i1"):
                script += f"{i} = keras.Input({shape})\n{i}x = {ahead(shape)}({i})\n"
            parts = [f"layers.{name}()([i1x, i0x])" for name in inner]
            script += f"out = layers.{outer}()([{', '.join(parts)}])\n"
            script += "model = keras.Model([i0, i1], out)\n"
            title = f"layers/{outer}: of {' and '.join(inner)}, {'x'.join(map(str, shape))}"
            yield Case(title, f"layers/{outer}", script, (shape,) * 2)


def merged(name: str, shape: tuple[int, ...], count: int, arguments: str) -> Case:
    inputs = [f"i{i}" for i in range(count)]
    script = HEAD
    for i in inputs:
        script += f"{i} = keras.Input({shape})\n{i}x = {ahead(shape)}({i})\n"
    script += f"out = layers.{name}({arguments})([{', '.join(i + 'x' for i in inputs)}])\n"
    script += f"model = keras.Model([{', '.join(inputs)}], out)\n"
    title = f"layers/{name}: {count} of {'x'.join(map(str, shape))} {arguments}".rstrip()
    return Case(title, f"layers/{name}", script, (shape,) * count)


def activation_cases() -> list[Case]:
    """Every activation as a module over [-6, 6], as a call behind Dense, and Keras 2's own."""
    cases: list[Case] = []
    for row in table.load().section("activations").values():
        for dialect in ("keras3", *(d for d in row.get("dialect", {}) if d == "keras2")):
            for string in row.get("strings"):
                section = f"activations/{row.name}"
                alone, _ = spelled(
                    section, f"layers.Activation('{string}')", (13,), reach=6.0, dialect=dialect
                )
                _, behind = spelled(
                    section, f"layers.Dense(13, activation='{string}')", (13,), dialect=dialect
                )
                cases += [alone, behind]
    return cases
