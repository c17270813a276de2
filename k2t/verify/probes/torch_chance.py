"""Chance switched off in torch: dropout is the identity, noise fixed, samplers keep the order."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import RandomSampler
from torch.utils.data._utils.fetch import _MapDatasetFetcher

from k2t.verify.probes.child import drawn_for, fixed_draw, fixed_noise

DROPOUTS = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"]
DROPOUTS += ["feature_alpha_dropout", "feature_dropout"]


def switch_off_chance() -> None:
    """Dropout of every spelling is the identity, samplers keep the order, noise is fixed."""

    def identity(input: Any, *args: Any, **kwargs: Any) -> Any:
        return input

    for name in DROPOUTS:
        for module in (nn.functional, torch):
            if hasattr(module, name):
                setattr(module, name, identity)
    attend = nn.functional.scaled_dot_product_attention
    nn.functional.scaled_dot_product_attention = lambda *args, dropout_p=0.0, **kwargs: attend(
        *args, **kwargs
    )
    for cls in (nn.RNNBase, nn.MultiheadAttention):
        without_dropout(cls)
    RandomSampler.__iter__ = lambda self: iter(range(len(self.data_source)))  # type: ignore[method-assign]

    fetch: Any = _MapDatasetFetcher.fetch

    def fetched(self: Any, rows: Any) -> Any:
        if not isinstance(rows, list) or not isinstance(rows[0], int):
            return fetch(self, rows)
        with drawn_for(rows):
            return fetch(self, rows)

    _MapDatasetFetcher.fetch = fetched  # type: ignore[method-assign]

    def fix(name: str, draw: Callable[..., Any]) -> None:
        by_chance = getattr(torch, name)

        def drawn(*size: Any, **kwargs: Any) -> torch.Tensor:
            # what disturbs the control, and initial values: their distribution is compared
            if kwargs.get("generator") is not None or in_constructor():
                return by_chance(*size, **kwargs)  # type: ignore[no-any-return]
            shape = size[0] if size and not isinstance(size[0], int) else size
            value = torch.from_numpy(draw(kwargs.get("size", shape)))
            return value.to(kwargs.get("device"), torch.get_default_dtype())

        setattr(torch, name, drawn)
        like = lambda x, **kwargs: torch.from_numpy(draw(x.shape)).to(x)  # noqa: E731
        setattr(torch, f"{name}_like", like)

    fix("randn", fixed_noise)
    fix("rand", fixed_draw)


def in_constructor() -> bool:
    """Whether a module is being made."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "__init__" and isinstance(frame.f_locals.get("self"), nn.Module):
            return True
        frame = frame.f_back
    return False


def without_dropout(cls: Any) -> None:
    init = cls.__init__

    def patched(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.dropout = 0.0

    cls.__init__ = patched
