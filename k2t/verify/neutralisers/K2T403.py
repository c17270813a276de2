"""Takes K2T403 out: torch's optimizers compute Keras's formula, as the classes do that the default
fidelity emits."""

from __future__ import annotations

import importlib
from typing import Any


def install_keras(keras: Any) -> None:
    pass


def install_torch() -> None:
    optim: Any = importlib.import_module("torch.optim")
    emitted: Any = importlib.import_module("k2t.render.helpers.optimizers")
    optim.RMSprop, optim.Adagrad, optim.SGD = emitted.RMSpropFull, emitted.Adagrad, emitted.SGD
    optim.Adamax = emitted.Adamax
