"""Loaders over arrays in memory, and what `fit` and `predict` give back in Keras."""

import copy
import itertools

import lightning as L
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


def make_dict_loader(*dicts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [{k: torch.as_tensor(array[rows]) for k, array in d.items()} for d in dicts]

    n = len(next(iter(dicts[0].values())))
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


def make_list_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    n = len(parts[0][0] if isinstance(parts[0], (list, tuple)) else parts[0])
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


def make_mixed_loader(*parts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; a batch has the parts' form: dicts, lists or arrays."""

    def cut(rows, part=parts):
        if isinstance(part, dict):
            return {k: cut(rows, inner) for k, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [cut(rows, inner) for inner in part]
        return torch.as_tensor(part[rows])

    first = parts[0]
    while isinstance(first, (dict, list, tuple)):
        first = next(iter(first.values() if isinstance(first, dict) else first))
    return DataLoader(range(len(first)), batch_size, shuffle, collate_fn=cut)


class Batches(IterableDataset):
    """Batches of a generator, some at a time: the next epoch goes on where the last one ended."""

    def __init__(self, generator, steps):
        self.batches, self.steps = iter(generator), steps

    def __len__(self):
        return self.steps

    def __iter__(self):
        return map(self.tensors, itertools.islice(self.batches, self.steps))

    def tensors(self, part):
        if isinstance(part, dict):
            return {name: self.tensors(inner) for name, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [self.tensors(inner) for inner in part]
        tensor = torch.as_tensor(part)
        return tensor.float() if tensor.is_floating_point() else tensor


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


class HistoryFull(L.Callback):
    """The epoch values by name, and the epochs, like the History that Keras's fit returns."""

    def __init__(self):
        self.history, self.epoch = {}, []

    def on_train_epoch_end(self, trainer, model):
        self.epoch.append(trainer.current_epoch)
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


class HistoryWithRate(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns, and the rate of each."""

    def __init__(self, rate=None):
        self.history, self.rate = {}, rate

    def on_train_epoch_start(self, trainer, model):
        if self.rate is not None:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            self.history.setdefault(self.rate, []).append(rate)

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


class FreshLogs(L.Callback):
    """An epoch without a validation has no values of an earlier one in its logs."""

    def on_train_epoch_start(self, trainer, model):
        trainer.callback_metrics.clear()


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


@torch.no_grad()
def predict_parts(model, x):
    """The model's outputs for x (an array, or a list of them) in inference mode, as tensors."""

    def tensor(part):
        part = torch.as_tensor(part)
        return part.float() if part.is_floating_point() else part

    training = model.training
    outputs = model.eval()([tensor(part) for part in x] if isinstance(x, list) else tensor(x))
    model.train(training)
    return outputs


@torch.no_grad()
def predict_named(model, x):
    """The model's outputs for a dict of arrays in inference mode, as tensors."""
    training = model.training
    outputs = model.eval()({name: torch.as_tensor(part) for name, part in x.items()})
    model.train(training)
    return outputs


def evaluate(model, loader):
    """What a test over a loader logs, while the model is fitted: of a copy that has no Trainer."""
    trainer = L.Trainer(
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    return trainer.test(copy.deepcopy(model), loader, verbose=False)[0]


def class_weights(weights, y):
    """Each sample's weight by its class; y holds class numbers or one-hot rows."""
    y = np.asarray(y)
    labels = y.argmax(1) if y.ndim > 1 and y.shape[1] > 1 else y.ravel()
    return np.array([weights.get(int(label), 1.0) for label in labels], dtype="float32")


def set_trainable(module, trainable):
    """As in Keras: a BatchNorm that is frozen normalises by its running statistics."""
    module.requires_grad_(trainable)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            part.train(trainable)


def freeze_norms(module):
    """As in Keras: the BatchNorms of a frozen part normalise by their running statistics."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            part.eval()


def get_weights(layer):
    """Kernel and bias of a layer as arrays; a kernel has its outputs last, as in Keras."""
    kernel = layer.weight.detach().cpu()
    arrays = [kernel.permute(*range(2, kernel.ndim), 1, 0).numpy().copy()]
    if layer.bias is not None:
        arrays.append(layer.bias.detach().cpu().numpy().copy())
    return arrays


@torch.no_grad()
def set_weights(layer, weights):
    """Fills kernel and bias of a layer from arrays; a kernel has its outputs last, as in Keras."""
    kernel, *bias = [torch.as_tensor(array) for array in weights]
    layer.weight.copy_(kernel.permute(-1, -2, *range(kernel.ndim - 2)))
    if bias:
        layer.bias.copy_(bias[0])
