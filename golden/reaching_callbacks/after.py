"""Callbacks that reach into the model: its rate, its weights, what it says of other data."""

import copy

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

BATCH_SIZE = 24
EPOCHS = 8

rng = np.random.default_rng(3)


def rings(n):
    """Points around the origin: inside of the ring, or outside."""
    points = rng.normal(size=(n, 3)).astype("float32")
    return points, (np.linalg.norm(points, axis=1) > 1.5).astype("float32")


x, y = rings(200)
x_val, y_val = rings(80)
x_other, y_other = rings(50)


class WarmUp(L.Callback):
    """A linear warm-up over the first epochs, then a decay by a factor."""

    def __init__(self, top=0.1, epochs=3, factor=0.7):
        super().__init__()
        self.top = top
        self.epochs = epochs
        self.factor = factor
        self.rates = []

    def on_train_epoch_start(self, trainer, module):
        epoch = trainer.current_epoch
        if epoch < self.epochs:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = self.top * (epoch + 1) / self.epochs
        else:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = rate * self.factor
        self.rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))


class KeepBest(L.Callback):
    """Brings the weights of the best epoch back when the loss has not fallen for a while."""

    def __init__(self, patience=2):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_start(self, trainer, module):
        self.wait = 0
        self.best = np.inf

    def on_train_epoch_end(self, trainer, module):
        logs = {name: value.item() for name, value in trainer.callback_metrics.items()}
        current = logs.get("val_loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = {
                name: value.clone() for name, value in module.state_dict().items()
            }
        else:
            self.wait += 1
            if self.wait >= self.patience:
                trainer.should_stop = True

    def on_train_end(self, trainer, module):
        if self.best_weights is not None:
            module.load_state_dict(self.best_weights)


class OtherData(L.Callback):
    """Loss and accuracy on data that fit is not told of."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y
        self.losses = []
        self.shares = []

    def share(self):
        return float((predict(self.model, self.x).sigmoid().numpy() > 0.5).mean())

    def setup(self, trainer, module, stage):
        self.model = module

    def on_train_epoch_end(self, trainer, module):
        epoch = trainer.current_epoch
        loss, accuracy = evaluate(
            self.model, make_loader(self.x, np.asarray(self.y))
        ).values()
        self.losses.append(loss)
        self.shares.append(self.share())
        print(f"{epoch + 1}/{trainer.max_epochs}: {loss:.4f}, {accuracy:.3f}")


class BatchLoss(L.Callback):
    """Tells after a batch the mean loss of the epoch so far, over its samples, as Keras does."""

    def mean_loss(self, outputs, data, batch):
        if batch == 0:
            self._sum, self._samples = 0.0, 0
        self._sum += outputs["loss"].item() * len(data[-1])
        self._samples += len(data[-1])
        return self._sum / self._samples


class LossHistory(BatchLoss):
    def on_train_start(self, trainer, module):
        self.losses = []
        self.validations = 0

    def on_train_batch_end(self, trainer, module, outputs, data, batch):
        logs = {"loss": self.mean_loss(outputs, data, batch)}
        self.losses.append(logs.get("loss"))

    def on_validation_end(self, trainer, module):
        self.validations += 1


class SGD(torch.optim.SGD):
    """SGD with the rate inside the momentum, as in Keras; the rate may become zero."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = torch.enable_grad()(closure)() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    v = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                    v.mul_(group["momentum"]).add_(p.grad, alpha=group["lr"])
                    if group["nesterov"]:
                        p -= group["momentum"] * v + group["lr"] * p.grad
                    else:
                        p -= v
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
            nn.Linear(3, 16),
            nn.Tanh(),
            nn.Linear(16, 1),
        )
        self.apply(init_weights)

    def forward(self, x):
        return self.layers(x)  # logits: the sigmoid is in the loss

    def step(self, batch, prefix=""):
        x, y = batch
        logits = self(x)
        y = y.float().view_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, y)
        accuracy = tm.accuracy(logits.sigmoid(), y, task="binary")
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def test_step(self, batch, batch_idx):
        self.step(batch)

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=0.01, momentum=0.9)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


@torch.no_grad()
def predict(model, x):
    """The model's outputs for x in inference mode, as a tensor."""
    training = model.training
    outputs = model.eval()(torch.as_tensor(x))
    model.train(training)
    return outputs


def evaluate(model, loader):
    """What a test over a loader logs, while the model is fitted: of a copy that has no Trainer."""
    trainer = L.Trainer(
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    return trainer.test(copy.deepcopy(model), loader, verbose=False)[0]


model = Model()

warm_up = WarmUp()
other = OtherData(x_other, y_other)
diary = LossHistory()
trainer = L.Trainer(
    max_epochs=EPOCHS,
    callbacks=[warm_up, KeepBest(), other, diary],
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x, np.asarray(y), batch_size=BATCH_SIZE, shuffle=True),
    make_loader(x_val, np.asarray(y_val), batch_size=BATCH_SIZE),
)

rates, batch_losses, validations = warm_up.rates, diary.losses, diary.validations
other_losses, shares = other.losses, other.shares
print(rates, len(batch_losses), validations)
print(
    "at the end:",
    list(
        trainer.test(model, make_loader(x_val, np.asarray(y_val)), verbose=False)[
            0
        ].values()
    ),
)
