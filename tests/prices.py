"""How far torch alone is from what k2t emits, where a measured difference made it emit more.

    python -m tests.prices     prints the sizes, page by page

What is emitted is held against Keras elsewhere (tests/helpers, tests/test_rows.py). A size is the
difference relative to the way gone, in 60 steps at gradients of 1e-3 unless another is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn, optim
from torch.nn import functional as F
from torchmetrics.classification import BinaryAUROC

from k2t.render.helpers import layers, losses, metrics, optimizers

Made = Callable[[list[nn.Parameter]], Any]


@dataclass(frozen=True)
class Price:
    """A row ("section/name"), the page that says what it costs, what is written, and its size."""

    row: str
    page: str
    what: str
    size: Callable[[], float]


def gradients(scale: float) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return scale * (torch.randn(60, 100, generator=draw) + 0.3)


def path(
    make: Made, scale: float, drop: bool, before: Callable[[Any, int], None] | None
) -> torch.Tensor:
    """The weights after 60 steps from zero; drop: the rate is a tenth from step 30 on."""
    p = nn.Parameter(torch.zeros(100))
    optimizer = make([p])
    for step, gradient in enumerate(gradients(scale)):
        p.grad = gradient.clone()
        if drop and step == 30:
            optimizer.param_groups[0]["lr"] /= 10
        if before is not None:
            before(optimizer, step)
        optimizer.step()
    return p.detach()


def apart(
    plain: Made,
    emitted: Made,
    scale: float = 1e-3,
    drop: bool = False,
    hook: Callable[[Any, int], None] | None = None,
) -> Callable[[], float]:
    def size() -> float:
        ours, theirs = path(plain, scale, drop, None), path(emitted, scale, drop, hook)
        return relative(ours, theirs)

    return size


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def adam_hook(optimizer: Any, step: int) -> None:
    """What `on_before_optimizer_step` of a migrated class does."""
    optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999 ** (step + 1)) ** 0.5


def clipped_alike() -> float:
    """Two gradients of norms 3 and 4, clipped to 1 together, and one by one."""
    one, two = torch.full((9,), 1.0), torch.full((16,), 1.0)
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in (one, two)]
    for p, g in zip(parameters, (one, two), strict=True):
        p.grad = g.clone()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    return max(relative(p.grad, g / g.norm()) for p, g in zip(parameters, (one, two), strict=True))


def running_variance() -> float:
    """After one step on 16 rows."""
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    norms = nn.BatchNorm1d(3, momentum=1.0), layers.BatchNorm1d(3, momentum=1.0)
    for norm in norms:
        norm(x)
    return relative(norms[0].running_var, norms[1].running_var)


def area() -> float:
    """Of 36 rows whose sigmoids round to 0 and 1."""
    draw = torch.Generator().manual_seed(0)
    scores = (200 * torch.randn(36, generator=draw)).sigmoid()
    target = torch.randint(0, 2, (36,), generator=draw)
    found = []
    for metric in (BinaryAUROC(thresholds=200), metrics.AUC()):
        metric.update(scores, target)
        found.append(metric.compute())
    return relative(found[0], found[1])


def hinge_of_bits() -> float:
    """The mean over targets of 0 and 1, which Keras takes for -1 and 1."""
    draw = torch.Generator().manual_seed(0)
    y, p = torch.randint(0, 2, (64,), generator=draw).float(), torch.randn(64, generator=draw)
    return relative(F.relu(1 - y * p).mean(), F.relu(1 - losses.hinge_labels(y) * p).mean())


def rmsprop(cls: Any, **more: Any) -> Made:
    return lambda p: cls(p, lr=1e-3, alpha=0.9, eps=1e-7, **more)


def sgd(cls: Any) -> Made:
    return lambda p: cls(p, lr=0.05, momentum=0.9)


PRICES = (
    Price(
        "optimizers/RMSprop", "K2T403", "RMSprop",
        apart(rmsprop(optim.RMSprop), rmsprop(optimizers.RMSprop)),
    ),
    Price(
        "optimizers/RMSprop", "K2T403", "RMSprop at gradients of 1",
        apart(rmsprop(optim.RMSprop), rmsprop(optimizers.RMSprop), 1.0),
    ),
    Price(
        "optimizers/RMSprop", "K2T403", "RMSprop(momentum=0.9) and a lower rate",
        apart(
            rmsprop(optim.RMSprop, momentum=0.9), rmsprop(optimizers.RMSpropFull, momentum=0.9),
            drop=True,
        ),
    ),
    Price(
        "optimizers/SGD", "K2T403", "SGD(momentum=0.9) and a lower rate",
        apart(sgd(optim.SGD), sgd(optimizers.SGD), drop=True),
    ),
    Price(
        "optimizers/Adagrad", "K2T403", "Adagrad(initial_accumulator_value=0)",
        apart(
            lambda p: optim.Adagrad(p, lr=0.1, eps=1e-7),
            lambda p: optimizers.Adagrad(p, lr=0.1, eps=1e-7),
        ),
    ),
    Price(
        "optimizers/Adamax", "K2T403", "Adamax(epsilon=1e-3)",
        apart(
            lambda p: optim.Adamax(p, lr=1e-3, eps=1e-3),
            lambda p: optimizers.Adamax(p, lr=1e-3, eps=1e-3),
        ),
    ),
    Price(
        "optimizers/Adam", "K2T405", "Adam",
        apart(
            lambda p: optim.Adam(p, lr=1e-3, eps=1e-7),
            lambda p: optim.Adam(p, lr=1e-3, eps=1e-7),
            hook=adam_hook,
        ),
    ),
    Price(
        "optimizers/AdamW", "K2T405", "AdamW",
        apart(
            lambda p: optim.AdamW(p, lr=1e-3, eps=1e-7, weight_decay=4e-3),
            lambda p: optim.AdamW(p, lr=1e-3, eps=1e-7, weight_decay=4e-3),
            hook=adam_hook,
        ),
    ),
    Price("optimizers/SGD", "K2T404", "clip_grad_norm_ for clipnorm", clipped_alike),
    Price("layers/BatchNormalization", "K2T112", "nn.BatchNorm1d on 16 rows", running_variance),
    Price("metrics/AUC", "K2T502", "BinaryAUROC of sigmoids that round", area),
    Price("losses/hinge", "K2T732", "a hinge of targets of 0 and 1", hinge_of_bits),
)  # fmt: skip


def said(prices: Iterable[Price] = PRICES) -> dict[str, list[tuple[str, float]]]:
    """What is written and its size, by page."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for price in prices:
        found[price.page].append((price.what, price.size()))
    return found


def line(sizes: Sequence[tuple[str, float]]) -> str:
    return "; ".join(f"{what}: {size:.1e}" for what, size in sizes)


if __name__ == "__main__":
    for page, sizes in said().items():
        print(f"{page}  {line(sizes)}")
