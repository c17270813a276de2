"""Training in rounds with a rate that is too high: the best round's weights are taken in the end."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

ROUNDS = 5
TRAINING = 192

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 6)).astype("float32")
y = (np.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3]).astype("float32")
x_train, x_val = x[:TRAINING], x[TRAINING:]
y_train, y_val = y[:TRAINING], y[TRAINING:]


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Build(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 16),
            nn.Tanh(),
            BatchNorm1d(16, eps=1e-3, momentum=0.01),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        logs = {"loss": loss}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        # fitted again, the model goes on with the same optimizer
        if not hasattr(self, "optimizer"):
            self.optimizer = torch.optim.SGD(self.parameters(), lr=0.2, momentum=0.9)
        return self.optimizer


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Build()
lowest = np.inf
for number in range(ROUNDS):
    trainer = L.Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, make_loader(x_train, y_train, shuffle=True))
    loss = trainer.test(model, make_loader(x_val, y_val), verbose=False)[0]["loss"]
    if loss < lowest:
        lowest = loss
        best = {name: value.clone() for name, value in model.state_dict().items()}
    print(f"round {number}: {loss:.4f}")

model.load_state_dict(best)
print("best:", trainer.test(model, make_loader(x_val, y_val), verbose=False)[0]["loss"])

# a second network goes on from there
other = Build()
trainer = L.Trainer(
    max_epochs=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(other, make_loader(x_train, y_train, shuffle=True))
other.load_state_dict(model.state_dict())
print(
    "handed over:",
    trainer.test(other, make_loader(x_val, y_val), verbose=False)[0]["loss"],
)
