"""Results written by hand, one for each thing that verification may find out."""

from __future__ import annotations

import math
import random

from k2t.verify.result import Cause, Curve, Divergence, Resources, Result, Run, Stage, State

CHILDREN = (
    Resources("Keras", 18.44, 1_240_000_000),
    Resources("PyTorch", 6.02, 612_000_000),
    Resources("PyTorch, disturbed by 1e-07", 75.2, 611_000_000),
)


def curve(steps=50, *, apart=2e-8, growth=1.1, control=True, seed=0):
    """Losses that fall from 2.3; the differences grow from `apart` by `growth` each step."""
    noise = random.Random(seed)
    keras = [2.3 * math.exp(-3 * i / steps) + 0.05 + 0.08 * noise.random() for i in range(steps)]
    size = [apart * growth ** min(i, 150) * noise.random() for i in range(steps)]
    torch = [loss * (1 + d) for loss, d in zip(keras, size, strict=True)]
    wild = [1.5e-7 * 1.08 ** min(i, 150) * (0.3 + noise.random()) for i in range(steps)]
    return Curve(tuple(keras), tuple(torch), tuple(wild) if control else ())


def stages(*differing, note="gradient of conv2d_2 kernel"):
    """All stages, those named with a figure above the limit."""
    figures = {
        "shapes and parameter counts": 0.0,
        "initial weights": 0.0,
        "outputs, layer by layer": 2.4e-7,
        "losses of the first ten steps": 1.9e-7,
        "gradients of the first step": 8.3e-7,
        "weights after the first step": 4.4e-8,
        "losses of all steps": 3.1e-6,
        "epoch values": 2.2e-6,
    }
    units = {"weights after the first step": "absolute", "shapes and parameter counts": "layers"}
    measured = [
        Stage(
            name,
            State.DIFFERS if name in differing else State.AGREES,
            0.31 if name in differing else figure,
            0.0 if name in units and figure == 0 else 1e-5,
            units.get(name, "relative"),
            note if name in differing else "",
        )
        for name, figure in figures.items()
    ]
    return (*measured, Stage("predict", State.UNKNOWN, note="the script does not call it"))


def result(runs, *, divergence=None, causes=(), declared=(), script="train.py"):
    return Result(
        script=script,
        port="train_lightning.py",
        engine="Keras 3.15.1 on TensorFlow 2.21.0",
        runs=tuple(runs),
        declared=tuple(declared),
        divergence=divergence,
        causes=tuple(causes),
        resources=CHILDREN,
    )


def agreeing():
    return result([Run("as they are", (), stages(), (curve(),))])


def diverging():
    run = Run(
        "as they are",
        (),
        stages("outputs, layer by layer", "losses of the first ten steps", "losses of all steps"),
        (curve(apart=0.4, growth=1.0),),
    )
    return result(
        [run],
        divergence=Divergence("output", "dense_1", ("MaxPooling2D", "Flatten"), None, 0.31),
        causes=[
            Cause(
                "Flatten reads the features in another order",
                "K2T105",
                "the inputs of dense_1 are equal once they are permuted",
            ),
            Cause("the pooling window is padded elsewhere", "", "MaxPooling2D(padding='same')"),
        ],
    )


def declared():
    """Two runs: the first parts from Keras, in the second the declared differences are out."""
    differing = stages("losses of the first ten steps", "losses of all steps", note="step 3")
    return result(
        [
            Run("as they are", (), differing, (curve(200, apart=1e-3), curve(120, apart=1e-4))),
            Run("without declared differences", ("K2T105", "K2T301"), stages(), (curve(200),)),
        ],
        declared=[
            ("K2T105", "Flatten of channels last: the kernel's rows are permuted"),
            ("K2T301", "the loss is a mean over samples, in Keras over samples and outputs"),
        ],
    )


def broken():
    """Losses that overflow, exact zeros, steps that one side lacks."""
    good = curve(40)
    keras = (*good.keras[:30], math.inf, *[math.nan] * 9)
    torch = (*good.keras[:20], *good.torch[20:31], *[math.nan] * 5)
    run = Run("as they are", (), stages("losses of all steps"), (Curve(keras, torch, ()),))
    return result([run], divergence=Divergence("loss", "", (), 30, math.inf))


def hostile():
    """Names that mean something to HTML, JavaScript, rich and terminals."""
    name = '</script><script>alert(1)</script> & "it\'s" [bold]\x1b[31m.py'
    run = Run("as <b>they</b> are [red]", (), stages("initial weights", note=name), (curve(),))
    return result([run], script=name, declared=[("K2T105", "<img src=x onerror=alert(1)>")])


def long():
    return result([Run("as they are", (), stages(), (curve(50_000, growth=1.001),))])


def single():
    one = Curve((2.3,), (2.3,), (0.0,))
    return result([Run("as they are", (), stages(), (one,))])


def empty():
    """Nothing was trained, nothing compared."""
    return result([Run("as they are", (), (), ())])


ALL = (agreeing, diverging, declared, broken, hostile, long, single, empty)
