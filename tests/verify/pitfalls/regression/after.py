"""A straight line with noise, as numbers of double precision come out of a table."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(0)
table = rng.normal(size=(260, 6))
x, y = table[:, :5], table[:, :5].sum(axis=1) + 0.1 * table[:, 5]


def init_weights(module):
    """Keras's defaults: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 1))
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x).squeeze(1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        y_pred = self(x)
        loss, mae = F.mse_loss(y_pred, y), F.l1_loss(y_pred, y)
        self.log_dict({"loss": loss, "mae": mae}, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


rows = TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y).float())
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Model(), DataLoader(rows, batch_size=32, shuffle=True))
