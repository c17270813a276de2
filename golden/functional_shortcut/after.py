"""Residual dense blocks inside main, with a projection where the widths differ."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

FEATURES = 8


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Residual(nn.Module):
    """Two layers and a way around them."""

    def __init__(self, in_features, units, dropout=0.0):
        super().__init__()
        self.dense1 = nn.Linear(in_features, units)
        self.dense2 = nn.Linear(units, units)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        # the sum needs equal widths
        self.dense3 = (
            nn.Linear(in_features, units, bias=False)
            if in_features != units
            else nn.Identity()
        )

    def forward(self, x):
        shortcut = x
        x = self.dense1(x).tanh()
        x = self.dense2(x)
        x = self.dropout(x)
        shortcut = self.dense3(shortcut)
        return (x + shortcut).tanh()


class Model(L.LightningModule):
    def __init__(self, widths):
        super().__init__()
        in_features = FEATURES
        residuals = []
        for units in widths:
            residuals.append(Residual(in_features, units, dropout=0.1))
            in_features = units
        self.residuals = nn.Sequential(*residuals)
        self.dense = nn.Linear(in_features, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        hidden = self.residuals(inputs)
        return self.dense(hidden)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {"loss": loss, "mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)

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


def main(epochs=5):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, FEATURES)).astype("float32")
    y = np.sin(x).sum(axis=1)

    widths = [16, 16, 24]
    model = Model(widths)

    trainer = L.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, make_loader(x, y, batch_size=40, shuffle=True))
    print(list(trainer.test(model, make_loader(x, y), verbose=False)[0].values()))


main()
