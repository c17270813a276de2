"""Trains a class on the batches that Keras was given: for ports without a Trainer of their own.

A LightningModule trains itself; an nn.Module gets the loss and the optimizer it is told.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import nn

from k2t.verify.saved.definitions import Definitions

Batch = list[Any]  # inputs, targets and perhaps weights, as numpy arrays


class HandMade(L.LightningModule):
    """A plain module, trained as it is told."""

    def __init__(self, module: nn.Module, loss: nn.Module, optimizer: str) -> None:
        super().__init__()
        self.module, self.loss, self.optimizer = module, loss, optimizer

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.module(*inputs)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        *inputs, y = batch
        output = self(*inputs)
        if isinstance(self.loss, nn.CrossEntropyLoss | nn.NLLLoss):
            y = y if y.is_floating_point() else y.long().view(output.shape[0], *output.shape[2:])
        else:
            y = y.to(output.dtype).view_as(output)
        loss: torch.Tensor = self.loss(output, y)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        cls, settings = named(self.optimizer, torch.optim)
        optimizer: torch.optim.Optimizer = cls(self.parameters(), **settings)
        return optimizer


def train(
    batches: list[Batch], path: str, name: str, loss: str, optimizer: str, channels_first: bool
) -> None:
    """One epoch over the batches. Raises ValueError, CannotMake."""
    module = Definitions(Path(path), name).makers()[0].make()
    if not isinstance(module, nn.Module):
        raise ValueError(f"{name} is not a torch module")
    if not isinstance(module, L.LightningModule):
        if not loss or not optimizer:
            raise ValueError(f"{name} is an nn.Module: --loss and --optimizer say how it trains")
        cls, settings = named(loss, nn)
        module = HandMade(module, cls(**settings), optimizer)
    whole = any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules())
    data = [tensors(batch, channels_first, whole) for batch in batches]
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=None))  # type: ignore[arg-type]


def tensors(batch: Batch, channels_first: bool, whole: bool) -> list[torch.Tensor]:
    """Inputs, targets, weights. whole: inputs stay whole numbers, for an embedding."""
    inputs, *rest = batch
    parts = list(inputs.values()) if isinstance(inputs, dict) else inputs
    parts = list(parts) if isinstance(parts, list | tuple) else [parts]
    turned = [np.moveaxis(x, -1, 1) if channels_first and x.ndim > 2 else x for x in parts]
    xs = [torch.from_numpy(np.ascontiguousarray(x)) for x in turned]
    ys = [torch.from_numpy(np.ascontiguousarray(y)) for y in rest]
    return [x if whole or x.is_floating_point() else x.float() for x in xs] + ys


def named(text: str, place: Any) -> tuple[Any, dict[str, Any]]:
    """The class and the settings in "Adam(lr=1e-3)"; nothing in the text is run."""
    try:
        node = ast.parse(text, mode="eval").body
        call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
        name = ast.unparse(call.func).rpartition(".")[2]
        settings = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'"{text}" is not like "Name(setting=value)"') from error
    if call.args or not hasattr(place, name):
        raise ValueError(f'"{text}" is not in {place.__name__}, or has settings without names')
    return getattr(place, name), settings
