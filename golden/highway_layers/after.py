"""Highway layers with an activation of their choice, weights that are penalised and held."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(8)
x = rng.normal(size=(256, 12)).astype("float32")
y = (np.sin(x[:, :3]).sum(axis=1, keepdims=True) + 0.1 * x[:, 3:4]).astype("float32")


class Highway(nn.Module):
    """A gate lets part of the input by."""

    def __init__(self, in_features, activation="relu", start="glorot_uniform", penalty="l2", bound="unit_norm"):
        super().__init__()
        self.activation = ACTIVATIONS[activation]()
        width = in_features
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, width)))
        self.gate = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, width)))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, inputs):
        gate = (inputs @ self.gate - 1.0).sigmoid()
        changed = self.activation(inputs @ self.kernel + self.bias)
        return gate * changed + (1.0 - gate) * inputs


def unit_norm(weight, dim):
    """The weight with norms over dim that are one."""
    return weight / (1e-7 + weight.norm(dim=dim, keepdim=True))


ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "elu": nn.ELU}


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            Highway(12),
            Highway(12, "tanh"),
            Highway(12, activation="elu"),
            nn.Linear(12, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def penalty(self):
        weights = [m.kernel for m in self.modules() if isinstance(m, Highway)]
        return 0.01 * sum(p.square().sum() for p in weights)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y) + self.penalty()
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)

    def optimizer_step(self, *args, **kwargs):
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():  # Keras's constraints
            self.layers[0].gate.copy_(unit_norm(self.layers[0].gate, dim=0))
            self.layers[0].bias.clamp_(min=0)
            self.layers[1].gate.copy_(unit_norm(self.layers[1].gate, dim=0))
            self.layers[1].bias.clamp_(min=0)
            self.layers[2].gate.copy_(unit_norm(self.layers[2].gate, dim=0))
            self.layers[2].bias.clamp_(min=0)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(x) * (1 - 0.25))
trainer = L.Trainer(
    max_epochs=6,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)
