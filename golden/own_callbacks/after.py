"""Callbacks of the script's own: one that has seen enough, and one that keeps a diary."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

BATCH_SIZE = 20

rng = np.random.default_rng(0)
x = rng.normal(size=(240, 10)).astype("float32")
y = (x[:, :5].sum(axis=1) > 0).astype("float32")


class Enough(L.Callback):
    """Stops as soon as a metric has reached a value."""

    def __init__(self, monitor="val_accuracy", value=0.9):
        super().__init__()
        self.monitor = monitor
        self.value = value

    def on_train_epoch_end(self, trainer, module):
        epoch = trainer.current_epoch
        logs = {name: value.item() for name, value in trainer.callback_metrics.items()}
        if logs.get(self.monitor) >= self.value:
            print(f"enough after {epoch + 1} epochs")
            trainer.should_stop = True


class Diary(L.Callback):
    def on_train_start(self, trainer, module):
        """Before the first epoch."""
        self.losses, self.batches, self.epochs = [], 0, []

    def on_train_epoch_start(self, trainer, module):
        epoch = trainer.current_epoch
        self.epochs.append(epoch)

    def on_train_batch_end(self, trainer, module, outputs, data, batch):
        # every second one
        if batch % 2:
            self.batches += 1

    def on_train_epoch_end(self, trainer, module):
        logs = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self.losses.append(logs["loss"])

    def on_train_end(self, trainer, module):
        logs = {name: value.item() for name, value in trainer.callback_metrics.items()}
        print("the last loss:", logs["loss"], "after", len(self.epochs))


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
        self.layers = nn.Sequential(
            nn.Linear(10, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the sigmoid is in the loss

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
diary = Diary()
split = int(len(x) * (1 - 0.25))
trainer = L.Trainer(
    max_epochs=12,
    callbacks=[Enough(value=0.8), diary],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x[split:], y[split:], batch_size=BATCH_SIZE),
)
losses, batches = diary.losses, diary.batches
print(losses, batches)
