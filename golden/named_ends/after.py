"""Inputs and outputs in dicts, the features of the model as a model of their own."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(11)
x = {"left": rng.normal(size=(200, 4)), "right": rng.normal(size=(200, 6))}
x = {name: part.astype("float32") for name, part in x.items()}
size = (x["left"][:, :1] * x["right"][:, :1]).astype("float32")
kind = (x["left"].sum(axis=1) > 0) * 1 + (x["right"].sum(axis=1) > 0)


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(4 + 6, 24)
        self.dense1 = nn.Linear(24, 1)
        self.dense2 = nn.Linear(24, 3)
        self.apply(init_weights)

    def forward(self, inputs):
        left, right = inputs["left"], inputs["right"]
        merged = torch.cat([left, right], 1)
        trunk = F.relu(self.trunk(merged))
        size = self.dense1(trunk)
        kind = self.dense2(trunk)
        return size, kind  # kind: logits, the softmax is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        size, kind = self(x)
        size_true = y["size"]
        kind_true = y["kind"].long()
        size_loss = F.mse_loss(size, size_true)
        kind_loss = F.cross_entropy(kind, kind_true)
        loss = 0.5 * size_loss + 1.0 * kind_loss
        kind_accuracy = tm.accuracy(kind, kind_true, task="multiclass", num_classes=3)
        logs = {"loss": loss, "kind_accuracy": kind_accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        # of these Keras gives the plain mean of the batches
        parts = {"size_loss": size_loss, "kind_loss": kind_loss}
        self.log_dict(parts, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def predict_step(self, batch, batch_idx):
        size, kind = self(batch[0])
        return size, kind.softmax(1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def make_loader(*dicts, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [
            {k: torch.as_tensor(array[rows]) for k, array in d.items()} for d in dicts
        ]

    n = len(next(iter(dicts[0].values())))
    return DataLoader(range(n), batch_size, shuffle, collate_fn=cut)


@torch.no_grad()
def predict(model, x):
    """The model's outputs for a dict of arrays in inference mode, as tensors."""
    training = model.training
    outputs = model.eval()({name: torch.as_tensor(part) for name, part in x.items()})
    model.train(training)
    return outputs


class Features(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.trunk = model.trunk

    def forward(self, inputs):
        left, right = inputs["left"], inputs["right"]
        merged = torch.cat([left, right], 1)
        return F.relu(self.trunk(merged))


model = Model()

trainer = L.Trainer(
    max_epochs=6,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model, make_loader(x, {"size": size, "kind": kind}, batch_size=20, shuffle=True)
)

guesses = {
    name: torch.cat(output).numpy()
    for name, output in zip(
        ["size", "kind"], zip(*trainer.predict(model, make_loader(x)))
    )
}
print("kinds:", guesses["kind"].argmax(axis=1)[:10], "sizes:", guesses["size"][:3, 0])

features = Features(model)
codes = predict(features, {"left": x["left"][:8], "right": x["right"][:8]}).numpy()
print("codes:", codes.mean())
