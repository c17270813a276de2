"""Adam finds the way; with the first layers frozen, SGD with momentum goes on from there."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

EPOCHS = 3
FROZEN = ("first", "second")

rng = np.random.default_rng(0)
x = rng.normal(size=(288, 10)).astype("float32")
y = np.sin(x @ rng.normal(size=(10, 1))).astype("float32")


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, 24),
            nn.Tanh(),
            nn.Linear(24, 16),
            nn.Tanh(),
            nn.Linear(16, 8),
            nn.Tanh(),
            nn.Linear(8, 1),
        )
        self.stage = 1
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)

    def step(self, batch, prefix=""):
        x, y = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y)
        mae = F.l1_loss(y_pred, y)
        logs = {f"{prefix}loss": loss, f"{prefix}mae": mae}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        # far from the goal
        if self.stage == 1:
            return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)
        return torch.optim.SGD(self.parameters(), lr=1e-2, momentum=0.9)

    def on_before_optimizer_step(self, optimizer):
        if self.stage == 1:
            # Keras adds epsilon before the bias correction, torch after it
            optimizer.param_groups[0]["eps"] = (
                1e-7 / (1 - 0.999 ** (self.global_step + 1)) ** 0.5
            )


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

split = int(len(x) * (1 - 0.1))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)

model.layers[:3].requires_grad_(False)

# close to it
model.stage = 2
split = int(len(x) * (1 - 0.1))
trainer = L.Trainer(
    max_epochs=EPOCHS,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)
print(list(trainer.test(model, make_loader(x, y), verbose=False)[0].values()))
