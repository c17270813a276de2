"""Which half of the vocabulary do a sentence's words come from: embedding and recurrent layers."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(0)
x = rng.integers(1, 40, size=(160, 9))
y = (x.mean(axis=1) > 20).astype("float32")


def init_weights(module):
    """Keras's defaults: Glorot uniform and orthogonal kernels, zero biases, forget gates at one."""
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.RNNBase):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            else:
                nn.init.zeros_(p)
                if isinstance(module, nn.LSTM) and "bias_ih" in name:
                    nn.init.ones_(p[module.hidden_size : 2 * module.hidden_size])
                elif isinstance(module, nn.LSTM):
                    p.requires_grad_(False)  # Keras has one bias per gate


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(40, 6)
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 4, batch_first=True)
        self.dense = nn.Linear(4, 1)
        self.apply(init_weights)

    def forward(self, x):
        x, _ = self.lstm(self.embedding(x))
        _, h = self.gru(x)
        return self.dense(h[-1])  # logit: the sigmoid is in the loss

    def training_step(self, batch, batch_idx):
        x, y = batch
        y = y.unsqueeze(1)
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        self.log_dict({"loss": loss, "accuracy": accuracy}, on_step=False, on_epoch=True)
        return loss

    test_step = training_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def make_loader(batch_size=32, shuffle=False):
    def cut(rows):
        return torch.as_tensor(x[rows]), torch.as_tensor(y[rows])

    return DataLoader(range(len(x)), batch_size, shuffle, collate_fn=cut)


def make_trainer(epochs):
    return L.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


model = Model()
trainer = make_trainer(2)
print("before training:", trainer.test(model, make_loader(), verbose=False))
trainer.fit(model, make_loader(shuffle=True))
make_trainer(1).fit(model, make_loader(batch_size=40, shuffle=True))
