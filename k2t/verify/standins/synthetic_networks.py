"""Networks that were trained elsewhere: without the net both sides have them untrained.

They start as Keras's layers do by default, so that their initial values can be compared.
"""

from __future__ import annotations

from typing import Any

ADDRESSES = ("keras-applications", "deep-learning-models")
UNTRAINED = "untrained"
NO_WEIGHTS: dict[str, Any] = {}
"""What torchvision's weights hand out."""


def is_network(origin: str) -> bool:
    """Whether an address is that of the weights of one of keras.applications."""
    return any(part in origin for part in ADDRESSES)


def install_keras(keras: Any) -> None:
    """Makes ``load_weights`` leave a network alone whose file is a stand-in."""
    load = keras.Model.load_weights

    def load_weights(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        return None if str(filepath) == UNTRAINED else load(self, filepath, *args, **kwargs)

    keras.Model.load_weights = load_weights


def install_torch(torchvision: Any) -> None:
    """Makes ``vgg16(weights=...)`` and its like start without weights, as Keras's layers do."""
    from torch import nn

    load = nn.Module.load_state_dict

    def load_state_dict(self: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        if state is not NO_WEIGHTS:
            return load(self, state, *args, **kwargs)
        for module in self.modules():
            module.apply(start)  # each of them: a part of the network may be drawn once more
        return None

    def start(module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    torchvision.models.WeightsEnum.get_state_dict = lambda self, *args, **kwargs: NO_WEIGHTS
    nn.Module.load_state_dict = load_state_dict  # type: ignore[assignment, method-assign]
