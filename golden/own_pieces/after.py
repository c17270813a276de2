"""Small images, with an activation, initializers, regularizers and constraints of the script's own."""

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as tm
from torch import nn
from torch.utils.data import DataLoader

CLASSES = 4

rng = np.random.default_rng(3)
x = rng.normal(size=(256, 10, 10, 2)).astype("float32")
y = (x[:, :5].mean(axis=(1, 2, 3)) > 0) * 2 + (x[:, :, :5, 0].mean(axis=(1, 2)) > 0)


def softened(x):
    """A smooth step that does not saturate."""
    return x * (1.5 * x).sigmoid() + 0.1 * x.tanh()


def centred(x):
    return x - x.mean(dim=-1, keepdim=True)


def small_normal(shape, dtype=None):
    return 0.05 * torch.randn(shape)


class Spread:
    """Uniform up to a width."""

    def __init__(self, width):
        self.width = width

    def __call__(self, shape, dtype=None):
        return -self.width + 2 * self.width * torch.rand(shape)

    def get_config(self):
        return {"width": self.width}


def ridge(w):
    return 2e-3 * w.square().sum()


class Orthogonal:
    """Columns of the kernel are kept at right angles."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, w):
        products = w.T @ w
        return (
            self.strength
            * (products - torch.eye(w.shape[-1], device=w.device)).square().sum()
        )

    def get_config(self):
        return {"strength": self.strength}


class Bounded:
    def __init__(self, bound=1.0):
        self.bound = bound

    def __call__(self, w):
        return w.clamp(-self.bound, self.bound)


class Gate(nn.Module):
    """Weighs the features, and asks for few of them."""

    def __init__(self, in_features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(in_features))

    def forward(self, inputs):
        gate = self.gain.sigmoid()
        self.added_loss = 1e-3 * gate.sum()
        return gate * inputs


class ActivityPenalty(nn.Module):
    """Passes a tensor on and keeps the penalty of a sample, for the loss.

    Keras's activity_regularizer: function of the whole tensor, divided by the size of the batch.
    """

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        self.value = self.function(x) / len(x)
        return x


def max_norm(weight, largest, dim):
    """The weight with norms over dim that are at most largest."""
    norm = weight.norm(dim=dim, keepdim=True)
    return weight * norm.clamp_max(largest) / (1e-7 + norm)


def init_weights(module):
    """Keras's initial values for each kind of layer."""
    if isinstance(module, nn.Conv2d):
        module.weight.data.copy_(small_normal(module.weight.shape))
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 8, 3)
        self.conv2 = nn.Conv2d(8, 8, 3, stride=2)
        self.activity = ActivityPenalty(lambda x: 0.01 * x.square().sum())
        self.classifier = nn.Sequential(
            nn.Linear(3 * 3 * 8, 16),
            nn.ReLU(),
            Gate(16),
            nn.Linear(16, CLASSES),
        )
        self.apply(init_weights)
        self.conv2.weight.data.copy_(Spread(0.1)(self.conv2.weight.shape))

    def forward(self, x):
        x = self.conv(x.permute(0, 3, 1, 2))  # NHWC -> NCHW
        x = self.conv2(softened(x))
        x = centred(x.permute(0, 2, 3, 1))  # NCHW -> NHWC
        x = self.activity(x)
        return self.classifier(x.flatten(1))  # logits: the softmax is in the loss

    def penalty(self):
        return (
            self.activity.value
            + self.classifier[2].added_loss
            + Orthogonal(1e-3)(self.classifier[0].weight.T)
            + ridge(self.classifier[3].weight)
        )

    def step(self, batch, prefix=""):
        x, y = batch
        y = y.long()
        logits = self(x)
        loss = F.cross_entropy(logits, y) + self.penalty()
        accuracy = tm.accuracy(logits, y, task="multiclass", num_classes=CLASSES)
        logs = {f"{prefix}loss": loss, f"{prefix}accuracy": accuracy}
        self.log_dict(logs, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.step(batch)

    def validation_step(self, batch, batch_idx):
        self.step(batch, "val_")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)

    def optimizer_step(self, *args, **kwargs):
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():  # Keras's constraints
            self.conv.weight.copy_(Bounded(0.2)(self.conv.weight))
            self.classifier[3].weight.copy_(
                max_norm(self.classifier[3].weight, 1.5, dim=1)
            )
            self.classifier[3].bias.clamp_(min=0)


def make_loader(*arrays, batch_size=32, shuffle=False):
    """The DataLoader draws row numbers; the rows are cut out of the arrays a batch at a time."""

    def cut(rows):
        return [torch.as_tensor(array[rows]) for array in arrays]

    return DataLoader(range(len(arrays[0])), batch_size, shuffle, collate_fn=cut)


model = Model()
split = int(len(x) * (1 - 0.25))
trainer = L.Trainer(
    max_epochs=6,
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(
    model,
    make_loader(x[:split], y[:split], shuffle=True),
    make_loader(x[split:], y[split:]),
)
