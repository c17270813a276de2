"""Looks closely at the first step of a Lightning model: outputs of its layers, gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from k2t.verify.probes.child import Array, leaves, plain
from k2t.verify.recording import Entry, Facts, Point, Trace

CHANNELS_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.PReLU,
)


def make_trace(trace: Trace, model: Any, batch: Any, names: list[str]) -> None:
    """Fills in what the batch does in the model in eval mode; the model is left as it was.

    names: of the model's layers, in the order of Keras's entries.
    """
    batch = copy(batch)
    state = torch.get_rng_state()
    modes = {name: module.training for name, module in model.named_modules()}
    # states that stateful layers have from the batch before: forward puts others in their places
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    model.eval()
    seen: dict[str, list[Any]] = {"": []}
    try:
        with torch.no_grad(), mute(model):
            with hooks(model, names, trace, seen):
                model.training_step(batch, 0)
            forward = seen[""][0] if seen[""] else None
            trace.logits = arrays(forward)
            put_back(buffers)
            trace.output = arrays(predicted(model, batch, forward))
    except Exception as error:
        trace.problem = f"{type(error).__name__}: {error}"
    finally:
        for name, module in model.named_modules():
            module.training = modes[name]
            if hasattr(module, "_computed") and hasattr(module, "reset"):
                module.reset()  # a metric object: nothing has been counted yet
        put_back(buffers)
        torch.set_rng_state(state)


def put_back(buffers: list[tuple[nn.Module, dict[str, Any]]]) -> None:
    for module, before in buffers:
        module._buffers.update(before)


def predicted(model: Any, batch: Any, forward: Any) -> Any:
    """What predict_step gives, where the model has one of its own; else what forward gave."""
    step = type(model).predict_step
    if step.__module__.startswith(("lightning", "pytorch_lightning")):
        return forward
    return model.predict_step(batch, 0)


def arrays(value: Any) -> dict[str, Array]:
    return {k: to_array(v) for k, v in leaves(value).items() if torch.is_tensor(v)}


def to_array(value: torch.Tensor) -> Array:
    half = value.dtype in (torch.bfloat16, torch.float16)  # numpy has no bfloat16
    array: Array = (value.float() if half else value).detach().cpu().numpy().copy()
    return array


@contextmanager
def hooks(
    model: nn.Module, names: list[str], trace: Trace, seen: dict[str, list[Any]]
) -> Iterator[None]:
    """Notes the calls of layers in `trace.points`, those of the model itself under "" in `seen`."""
    numbers = {module_of(model, name): number for number, name in reversed(list(enumerate(names)))}

    def layer(module: nn.Module, args: Any, output: Any) -> None:
        packed = any(isinstance(part, PackedSequence) for part in args)
        inputs = [part for part in leaves(args).values() if torch.is_tensor(part)]
        if not inputs:
            return
        number = numbers[module]
        turned = [channels_last(part, module) for part in (None if packed else inputs[0], output)]
        trace.points.append(Point(names[number], type(module).__name__, number, *turned))

    def whole(module: nn.Module, args: Any, output: Any) -> None:
        seen[""].append(output)

    handles = [module.register_forward_hook(layer) for module in numbers if module is not model]
    handles.append(model.register_forward_hook(whole))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def module_of(model: nn.Module, name: str) -> nn.Module:
    """The module of a place: "lstm_l0_reverse" is in `lstm`, "attention/query" in `attention`."""
    modules = dict(model.named_modules())
    name = name.split("/")[0]
    while name and name not in modules:
        name = name.rpartition("_")[0]
    module: nn.Module = modules[name]
    return module


def channels_last(value: Any, module: nn.Module) -> Array | None:
    """A tensor as an array in Keras's order of axes; None for what is not one tensor."""
    if not torch.is_tensor(value):
        return None
    array = to_array(value)
    if isinstance(module, CHANNELS_FIRST) and array.ndim > 2:
        return np.moveaxis(array, 1, -1)
    return array


@contextmanager
def mute(model: Any) -> Iterator[None]:
    """`self.log` does nothing inside: nobody has asked for this forward pass."""

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    object.__setattr__(model, "log", nothing)
    object.__setattr__(model, "log_dict", nothing)
    try:
        yield
    finally:
        del model.__dict__["log"], model.__dict__["log_dict"]


@torch.no_grad()
def read_gradients(model: nn.Module, read: Callable[[], list[Entry]]) -> list[Entry]:
    """The gradients in the layout of the entries that `read` reads; NaN where there are none."""
    tensors = [*model.parameters(), *model.buffers()]
    kept = [tensor.data for tensor in tensors]
    for tensor in tensors:
        gradient = tensor.grad
        if gradient is None and tensor.is_floating_point():
            gradient = torch.full_like(tensor, float("nan"))
        if gradient is not None:
            tensor.data = gradient.to_dense() if gradient.is_sparse else gradient
    try:
        return read()
    finally:
        for tensor, data in zip(tensors, kept, strict=True):
            tensor.data = data


def running(trainer: Any) -> dict[str, float]:
    """The means and metrics of this epoch so far, by the names they are logged under."""
    found = {}
    for item in (trainer._results or {}).values():
        if item.is_tensor and item.meta.is_mean_reduction and float(item.cumulated_batch_size):
            found[item.meta.name] = float(item.value / item.cumulated_batch_size)
        elif not item.is_tensor and item.value._update_count:
            metric = item.value.clone()
            metric._to_sync = False
            with torch.no_grad():
                value = metric.compute()
            if value.numel() == 1:
                found[item.meta.name] = float(value)
    return found


def read_facts(trainer: Any, model: nn.Module, names: list[str]) -> Facts:
    """The settings of a model in its first step."""
    metrics = [m for m in model.modules() if hasattr(m, "_computed") and hasattr(m, "reset")]
    optimizer: dict[str, Any] = {}
    if trainer.optimizers:
        first = trainer.optimizers[0]
        optimizer = {"class": type(first).__name__, **plain(first.param_groups[0])}
    return Facts(
        layers=[described(module_of(model, name)) for name in names],
        modules=[type(m).__name__ for m in model.modules() if not list(m.children())],
        optimizer=optimizer,
        metrics=[described(metric) for metric in metrics],
    )


def described(module: nn.Module) -> dict[str, Any]:
    return {"class": type(module).__name__, **plain(vars(module))}
