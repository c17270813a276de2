"""A regression whose dropout goes on in inference: the spread of its predictions is an error bar."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

rng = np.random.default_rng(5)
x = rng.normal(size=(240, 6)).astype("float32")
y = np.tanh(x[:, :2]).sum(axis=1, keepdims=True).astype("float32")


class BatchNorm1d(nn.BatchNorm1d):
    """BatchNorm1d whose running variance is the biased one, as in Keras."""

    def forward(self, x):
        old = (1 - self.momentum) * self.running_var
        y = super().forward(x)
        if self.training:
            self.running_var = self.running_var.lerp(old, x.shape[1] / x.numel())
        return y


class RMSprop(torch.optim.RMSprop):
    """RMSprop with epsilon inside the square root, as in Keras."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p not in self.state:
                    self.state[p] = {
                        "step": torch.zeros(()),
                        "square_avg": torch.zeros_like(p),
                    }
                v = self.state[p]["square_avg"].lerp_(
                    p.grad.square(), 1 - group["alpha"]
                )
                p.addcdiv_(p.grad, (v + group["eps"]).sqrt(), value=-group["lr"])
        return loss


def init_weights(module):
    """Keras's initial values: Glorot uniform kernels, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(6, 24)
        # the statistics stay as they are
        self.norm = BatchNorm1d(24, eps=1e-3, momentum=0.01).eval()
        self.dense2 = nn.Linear(24, 16)
        self.dense3 = nn.Linear(16, 1)
        self.apply(init_weights)

    def forward(self, inputs):
        hidden = self.dense1(inputs)
        hidden = self.norm(hidden)
        hidden = F.relu(hidden)
        hidden = F.dropout(hidden, 0.2)  # in every phase
        hidden = F.relu(self.dense2(hidden))
        return self.dense3(hidden)

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

    def predict_step(self, batch, batch_idx):
        return self(batch[0])

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()

trainer = L.Trainer(
    max_epochs=3,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:192], y[:192], batch_size=16, shuffle=True),
    make_loader(x[192:], y[192:], batch_size=16),
)

draws = np.stack(
    [torch.cat(trainer.predict(model, make_loader(x[192:]))).numpy() for _ in range(5)]
)
print("error bars:", draws.std(axis=0).mean())
