"""Models of a Lightning script built once more: the same class from the same arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter


def remember_arguments(seen: Callable[[type[nn.Module]], None]) -> None:
    """Notes on every module what it was constructed from, and functions applied to it later.

    seen: is told the class of each.
    """
    apply = nn.Module.apply

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        seen(cls)
        module = object.__new__(cls)
        module.__dict__["_k2t_arguments"] = (args, kwargs)
        return module

    def noted(self: Any, fn: Callable[[nn.Module], None]) -> nn.Module:
        if "_k2t_applied" not in self.__dict__:
            self.__dict__["_k2t_applied"] = []
        self.__dict__["_k2t_applied"].append(fn)
        applied: nn.Module = apply(self, fn)
        return applied

    nn.Module.__new__ = new  # type: ignore[method-assign]
    nn.Module.apply = noted  # type: ignore[assignment, method-assign]


def again(value: Any) -> Any:
    """A value built once more: modules from class and arguments, inside lists and dicts too."""
    if isinstance(value, nn.Module):
        args, kwargs = value.__dict__["_k2t_arguments"]
        module = type(value)(*again(list(args)), **again(dict(kwargs)))
        give_shapes(module, value)
        # what was applied to the finished model, after its constructor
        done = len(module.__dict__.get("_k2t_applied", []))
        for fn in value.__dict__.get("_k2t_applied", [])[done:]:
            module.apply(fn)
        return module
    if isinstance(value, list | tuple):
        return type(value)([again(part) for part in value])
    if isinstance(value, dict):
        return {key: again(part) for key, part in value.items()}
    return value


def give_shapes(module: nn.Module, like: nn.Module) -> None:
    """Gives lazy layers, which a script makes whole by a first call, the shapes of `like`."""
    for name, part in module.named_modules():
        lazy: Any = part
        if not (isinstance(part, LazyModuleMixin) and lazy.has_uninitialized_params()):
            continue
        whole = like.get_submodule(name)
        shapes = {**dict(whole.named_parameters()), **dict(whole.named_buffers())}
        for key, tensor in [*lazy.named_parameters(recurse=False), *lazy.named_buffers()]:
            if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
                tensor.materialize(shapes[key].shape)
        for key in ("in_features", "in_channels", "num_features"):
            if hasattr(whole, key):
                setattr(lazy, key, getattr(whole, key))
        for hook in ("_initialize_hook", "_load_hook"):
            getattr(lazy, hook).remove()
            delattr(lazy, hook)
        lazy.__class__ = type(whole)
        lazy.reset_parameters()
