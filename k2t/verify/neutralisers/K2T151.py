"""Takes K2T151 out as far as it can be: BatchNorms in networks of torchvision get the epsilon and
momentum that they have in Keras. Strides and padding are what they are.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import wraps
from typing import Any

# epsilon, and torch's momentum: what Keras 3.15's keras.applications have
KERAS = {
    "resnet": (1.001e-5, 0.01),
    "densenet": (1.001e-5, 0.01),
    "mobilenet": (1e-3, 0.001),
    "inception": (1e-3, 0.01),
    "efficientnet_b": (1e-3, 0.01),
}


def install_keras(keras: Any) -> None:
    """Keras stays as it is."""


def install_torch() -> None:
    models = importlib.import_module("torchvision.models")
    for name, builder in list(vars(models).items()):
        found = next((KERAS[family] for family in KERAS if name.startswith(family)), None)
        if found is not None and callable(builder):
            setattr(models, name, adjusted(builder, *found))


def adjusted(builder: Callable[..., Any], epsilon: float, momentum: float) -> Callable[..., Any]:
    @wraps(builder)
    def built(*args: Any, **options: Any) -> Any:
        from torch.nn.modules.batchnorm import _BatchNorm

        network = builder(*args, **options)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eps, module.momentum = epsilon, momentum
        return network

    return built
