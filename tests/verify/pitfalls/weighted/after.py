"""Three classes of uneven size, weighted; the class is the last column of a table of numbers."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASS_WEIGHT = {0: 0.5, 1: 1.0, 2: 4.0}

rng = np.random.default_rng(0)
numbers = rng.normal(size=(260, 6)).astype("float32")
classes = np.digitize(numbers[:, 0] + numbers[:, 1], [0.3, 1.6]).astype("float32")
table = np.column_stack([numbers, classes])
x, y = table[:, :6], table[:, 6:]


def init_weights(module):
    """Keras's defaults: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
        self.register_buffer("weight", torch.tensor(list(CLASS_WEIGHT.values())))
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the softmax is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        y = y.squeeze(1).long()
        # Keras divides by the number of rows, not by the sum of their weights
        loss = (F.cross_entropy(self(x), y, reduction="none") * self.weight[y]).mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


rows = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
trainer = L.Trainer(
    max_epochs=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Model(), DataLoader(rows, batch_size=32, shuffle=True))
