"""Are two halves of a signal from the same machine?"""
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

MARGIN = 1.0


rng = np.random.default_rng(7)
signals = rng.normal(size=(600, 40)).astype("float32")
labels = rng.integers(0, 2, 600).astype("float32")
signals[labels == 1, 20:] = signals[labels == 1, :20] + 0.1 * signals[labels == 1, 20:]


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
        self.hidden = nn.Linear(20, 32)
        self.embedding = nn.Linear(32, 8)
        self.dense = nn.Linear(1, 1)
        self.apply(init_weights)

    def forward(self, signal):
        first = self.embedding(F.relu(self.hidden(signal[:, :20])))
        second = self.embedding(F.relu(self.hidden(signal[:, 20:])))
        # the distance of the two embeddings, and never exactly 0
        sum_square = (first - second).square().sum(dim=1, keepdim=True)
        distance = sum_square.clamp(min=1e-7).sqrt()
        similarity = (-distance / MARGIN).exp()
        return self.dense(similarity)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(signals) * (1 - 0.2))
trainer = L.Trainer(
    max_epochs=4,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(signals[:split], labels[:split], shuffle=True),
    make_loader(signals[split:], labels[split:]),
)
