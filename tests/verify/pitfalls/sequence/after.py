"""Does a series of numbers end higher than it began: an LSTM and its last step."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 9, 3)).cumsum(axis=1).astype("float32")
y = (x[:, -1, 0] > x[:, 0, 0]).astype("float32")


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 8, batch_first=True)
        self.dense = nn.Linear(8, 1)
        nn.init.xavier_uniform_(self.lstm.weight_ih_l0)
        nn.init.orthogonal_(self.lstm.weight_hh_l0)
        nn.init.zeros_(self.lstm.bias_ih_l0)
        nn.init.zeros_(self.lstm.bias_hh_l0)
        nn.init.ones_(self.lstm.bias_ih_l0[8:16])  # forget gates
        self.lstm.bias_hh_l0.requires_grad_(False)  # Keras has one bias per gate
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x):
        x, _ = self.lstm(x)
        return self.dense(x[:, -1])  # logit: the sigmoid is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(self(x), y.unsqueeze(1))
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
