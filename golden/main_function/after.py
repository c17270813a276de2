#!/usr/bin/env python3
"""Recognise the waveform of a short signal.

usage: before.py [--epochs N] [--batch-size N] [--lr RATE] [--filters N] [--out FILE]
"""
import argparse
import json

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

WAVES = ("sine", "square", "sawtooth")


def synthesize(n, length, noise, seed):
    """n signals (n, length, 1) with random frequency and phase, and their labels."""
    rng = np.random.default_rng(seed)
    label = rng.integers(len(WAVES), size=n)
    cycles = rng.uniform(2, 3, size=(n, 1)) * np.linspace(0, 1, length) + rng.random((n, 1))
    sine = np.sin(2 * np.pi * cycles)
    shapes = np.stack([sine, np.sign(sine), 2 * (cycles % 1) - 1])
    signal = shapes[label, np.arange(n)] + rng.normal(scale=noise, size=(n, length))
    return signal[:, :, None].astype("float32"), label


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=30)
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate")
    parser.add_argument("--filters", type=int, default=12)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--out", help="write the results to this JSON file")
    return parser.parse_args(argv)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, (nn.Conv1d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self, args):
        super().__init__()
        self.args = args
        self.conv1 = nn.Conv1d(1, args.filters, 5, padding="same")
        self.max_pooling = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(args.filters, 2 * args.filters, 3)
        self.average_pooling = nn.AvgPool1d(2)
        self.dropout = nn.Dropout(0.1)
        self.dense = nn.LazyLinear(len(WAVES))

    def forward(self, signal):
        x = F.relu(self.conv1(signal.transpose(1, 2)))  # NLC -> NCL
        x = self.max_pooling(x)
        x = F.relu(self.conv2(x))
        x = self.average_pooling(x)
        x = x.transpose(1, 2).flatten(1)  # flattened in Keras's order
        x = self.dropout(x)
        return self.dense(x)  # logits: the softmax is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=len(WAVES))
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.args.lr, eps=1e-7)

    def on_before_optimizer_step(self, optimizer):
        # Keras adds epsilon before the bias correction, torch after it
        optimizer.param_groups[0]["eps"] = (
            1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
        )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


class History(L.Callback):
    """The epoch values by name, like the History that Keras's fit returns."""

    def __init__(self):
        self.history = {}

    def on_train_epoch_end(self, trainer, model):
        for name, value in trainer.callback_metrics.items():
            self.history.setdefault(name, []).append(value.item())


def main(args):
    x_train, y_train = synthesize(400, args.length, args.noise, seed=0)
    x_val, y_val = synthesize(130, args.length, args.noise, seed=1)

    model = Model(args)

    model(torch.as_tensor(x_train[:1]))  # a dry run: the lazy layers take their sizes
    model.apply(init_weights)
    history = History()
    trainer = L.Trainer(
        max_epochs=args.epochs,
        callbacks=[history],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        model,
        make_loader(x_train, y_train, batch_size=args.batch_size, shuffle=True),
        make_loader(x_val, y_val, batch_size=args.batch_size),
    )

    results_ = trainer.test(
        model, make_loader(x_val, y_val, batch_size=args.batch_size), verbose=False
    )
    loss, accuracy = results_[0].values()
    guesses = np.argmax(
        torch.cat(
            trainer.predict(model, make_loader(x_val, batch_size=args.batch_size))
        ).numpy(),
        axis=1,
    )
    for index, wave in enumerate(WAVES):
        print(f"{wave:9s} {np.mean(guesses[y_val == index] == index):.3f}")

    results = {"loss": loss, "accuracy": accuracy, "history": history.history}
    if args.out:
        with open(args.out, "w") as file:
            json.dump(results, file, indent=2)
    return results


if __name__ == "__main__":
    main(parse_args())
