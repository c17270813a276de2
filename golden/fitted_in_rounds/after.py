"""Sums of digits learned in rounds: after each, the model is looked at and training goes on."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

DIGITS = 3
ROUNDS = 4
BATCH_SIZE = 32

rng = np.random.default_rng(0)
digits = rng.integers(0, 10, size=(320, DIGITS))
x = np.eye(10, dtype="float32")[digits]
y = digits.sum(axis=1).astype("float32") / 10
x_train, x_val = x[:256], x[256:]
y_train, y_val = y[:256], y[256:]


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.LSTM):
        for name, p in module.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(p)
            elif "weight_hh" in name:
                nn.init.orthogonal_(p)
            elif "bias_ih" in name:
                nn.init.zeros_(p)
                nn.init.ones_(p.chunk(4)[1])
            else:
                nn.init.zeros_(p).requires_grad_(False)  # Keras has one bias per gate
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(10, 16, batch_first=True)
        self.dense = nn.Linear(16, 1)
        self.apply(init_weights)

    def forward(self, x):
        x = self.lstm(x)[0][:, -1]
        return self.dense(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        y = y.view_as(y_pred)
        loss = F.mse_loss(y_pred, y)
        logs = {f"{prefix}loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        # fitted again, the model goes on with the same optimizer
        if not hasattr(self, "optimizer"):
            self.optimizer = torch.optim.Adam(self.parameters(), lr=0.01, eps=1e-7)
        return self.optimizer

    def on_before_optimizer_step(self, optimizer):
        group = optimizer.param_groups[0]
        group["step"] = group.get("step", 0) + 1
        # Keras adds epsilon before the bias correction, torch after it
        group["eps"] = 1e-7 / (1 - 0.999 ** group["step"]) ** 0.5


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

# one epoch to warm up, then round after round
trainer = L.Trainer(
    max_epochs=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(model, make_loader(x_train, y_train, batch_size=BATCH_SIZE, shuffle=True))
errors = []
for number in range(ROUNDS):
    trainer = L.Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        model,
        make_loader(x_train, y_train, batch_size=BATCH_SIZE, shuffle=True),
        make_loader(x_val, y_val, batch_size=BATCH_SIZE),
    )
    guess = torch.cat(trainer.predict(model, make_loader(x_val))).numpy()[:, 0]
    errors.append(np.abs(guess - y_val).mean())
    print(f"round {number}: {errors[-1]:.4f}")
