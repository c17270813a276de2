"""Causes on recordings written by hand: the numbers of a mistake, and what is not one."""

import numpy as np
import pytest

from k2t.verify.compare import compare
from k2t.verify.evidence import numbers
from k2t.verify.evidence.causes import causes, causes_of_failure
from k2t.verify.judge import verdict
from k2t.verify.recording import Entry, Facts, Fit, Point, Recording, Trace
from k2t.verify.result import Divergence
from k2t.verify.run import Comparison

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)
FIRST = Divergence("loss", "", (), 0, 1.0)


def comparison(keras, port):
    sides = Recording(fits=[keras]), Recording(fits=[port])
    report = compare(*sides)
    return Comparison(*sides, report, None, verdict(report, None))


def fit(losses=(1.0, 1.0), trace=None, facts=None, **rest):
    return Fit(0, losses=list(losses), sizes=[8] * len(losses), trace=trace or Trace(),
               facts=facts or Facts(), **rest)  # fmt: skip


def titles(keras, port, divergence=FIRST, text=""):
    return [cause.title for cause in causes(comparison(keras, port), divergence, text)]


def test_a_hypothesis_is_held_against_the_difference_not_against_the_values():
    keras = 1000 + RNG.normal(size=50)
    port = keras + 0.1 * RNG.normal(size=50)
    assert numbers.confirmed((keras, port), port)
    assert not numbers.confirmed((keras, port), keras)
    assert not numbers.confirmed((keras, port), keras + 0.1)
    # rounding needs no reason, and other shapes give none
    assert not numbers.confirmed((keras, keras * (1 + 1e-8)), keras * (1 + 1e-8))
    assert not numbers.confirmed((keras, port), port[:5])


def probabilities(shape):
    return numbers.softmax(RNG.normal(size=shape))


@pytest.mark.parametrize("one_hot", [False, True])
def test_double_softmax(one_hot):
    p, y = probabilities((8, 3)), RNG.integers(0, 3, 8)
    targets = np.eye(3)[y] if one_hot else y[:, None]
    keras, twice = (float(-np.log(q[range(8), y]).mean()) for q in (p, numbers.softmax(p)))
    trace = Trace(output={"": p}, targets={"": targets})
    (title,) = titles(fit([keras], trace), fit([twice]))
    assert title.startswith("double softmax")
    # another loss of the same size has another reason
    assert titles(fit([keras], trace), fit([twice * 1.1])) == []


def test_double_sigmoid():
    p, y = RNG.uniform(0.1, 0.9, (8, 1)), RNG.integers(0, 2, 8)
    keras, twice = (
        float(numbers.binary_crossentropy(q, y).mean()) for q in (p, numbers.sigmoid(p))
    )
    trace = Trace(output={"": p}, targets={"": y})
    (title,) = titles(fit([keras], trace), fit([twice]))
    assert title.startswith("double sigmoid")


@pytest.mark.parametrize("error", [np.square, np.abs])
def test_target_broadcast(error):
    p, y = RNG.normal(size=(8, 1)), RNG.normal(size=8)
    losses = [float(error(p[:, 0] - y).mean()), float(error(p - y).mean())]
    trace = Trace(output={"": p}, targets={"": y})
    (title,) = titles(fit(losses[:1], trace), fit(losses[1:]))
    assert title.startswith("target broadcast: (8, 1) against (8,)")


@pytest.mark.parametrize(
    ("factor", "text", "title"),
    [
        (0.7, "weight=self.weight", "weighted mean"),
        (0.7, "", "the loss is divided by something else"),
        (8.0, "", "the loss is the sum"),
    ],
)
def test_a_loss_by_a_factor(factor, text, title):
    gradient = RNG.normal(size=(4, 3))
    sides = [
        fit([x], Trace(gradients=[Entry("dense", "dense", {"kernel": x * gradient})]))
        for x in (1.0, factor)
    ]
    (found,) = titles(*sides, text=text)
    assert found.startswith(title)


def test_flatten_order_needs_the_very_order():
    image = RNG.normal(size=(8, 2, 3, 4))
    flat = image.reshape(8, -1)

    def points(given):
        return [
            Point("flatten", "Flatten", None, image, flat),
            Point("dense", "Dense", 0, given, None),
        ]

    def ported(given):
        return titles(
            fit(trace=Trace(points=points(flat))), fit(trace=Trace(points=points(given)[1:]))
        )

    torch = image.transpose(0, 3, 1, 2).reshape(8, -1)
    assert ported(torch) == ["Flatten order: channels first in torch, last in Keras"]
    assert ported(flat[:, ::-1]) == []
    assert ported(flat) == []


@pytest.mark.parametrize(("before", "found"), [((0, 0), False), ((1, 1), True)])
def test_padding_done_by_a_layer_of_its_own(before, found):
    x = RNG.normal(size=(8, 6, 6, 2))
    front, back = before[0], 1 - before[0]
    padded = np.pad(x, ((0, 0), (front, back), (front, back), (0, 0)))
    ours = {"class": "Conv2D", "padding": "same", "kernel_size": (3, 3), "strides": (2, 2)}
    theirs = {"class": "Conv2d", "padding": (0, 0)}
    entries = [Entry("conv2d", "conv", {})]
    keras, port = (
        fit(
            trace=Trace(points=[Point("conv", kind, 0, given, None)]),
            facts=Facts(layers=[facts]),
            initial=entries,
            final=entries,
        )
        for kind, given, facts in (("Conv2D", x, ours), ("Conv2d", padded, theirs))
    )
    at = Divergence("output", "conv", ("Conv2D",), None, 1.0)
    assert bool(titles(keras, port, at)) is found


@pytest.mark.parametrize(
    ("divergence", "place"), [(Divergence("output", "norm", (), None, 1.0), 0), (FIRST, 1)]
)
def test_a_setting_counts_more_where_the_programs_part(divergence, place):
    entries = [Entry("layernorm", "norm", {})]
    settings = [
        ({"class": "LayerNormalization", "epsilon": 1e-3}, {"class": "SGD", "momentum": 0.9}),
        ({"class": "LayerNorm", "eps": 1e-5}, {"class": "SGD", "momentum": 0.8}),
    ]
    kernel = RNG.normal(size=(4, 3))
    sides = []
    for (layer, optimizer), moved in zip(settings, (0.9, 0.8), strict=True):
        steps = [
            Entry("dense", "dense", {"kernel": scale * kernel}) for scale in (1.0, 1.0 - moved)
        ]
        sides.append(
            fit(
                trace=Trace(gradients=steps[:1], after=[*entries, steps[1]]),
                facts=Facts(layers=[layer], optimizer=optimizer),
                initial=[*entries, steps[0]],
                final=[*entries, steps[1]],
            )
        )
    named = titles(*sides, divergence)
    assert len(named) == 2
    assert named.index("LayerNorm epsilon 1e-05 against 1e-03") == place


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("RuntimeError: expected scalar type Long but found Float", "class numbers"),
        (
            "RuntimeError: mat1 and mat2 must have the same dtype, but got Double and Float",
            "float64",
        ),
        ("RuntimeError: Found dtype Double but expected Float", "float64"),
        (
            "RuntimeError: Given groups=1, weight of size [6, 2, 3, 3], expected input[16, 12, 12, "
            "2] to have 2 channels, but got 12 channels instead",
            "channels last",
        ),
        (
            "ValueError: Target size (torch.Size([32])) must be the same as input size "
            "(torch.Size([32, 1]))",
            "target and output have other shapes",
        ),
    ],
)
def test_messages_of_torch(message, title):
    (cause,) = causes_of_failure(f"Traceback (most recent call last):\n{message}\n")
    assert cause.title.startswith(title)
    assert cause.evidence in message


def test_other_messages_have_no_cause():
    assert causes_of_failure("NameError: name 'x' is not defined") == ()
